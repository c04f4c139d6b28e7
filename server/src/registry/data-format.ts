/** What the format of a network's data follows from: rows of a card. */
interface FormattedCard {
  readonly input: {
    /** [columns, rows] of a slice. */
    readonly sizePx?: readonly number[];
    /** [columns, rows, slices] of a window. */
    readonly windowVoxels?: readonly number[];
  };
  readonly filter: { readonly modality: readonly string[] };
  readonly segments: readonly { readonly number: number; readonly label: string }[];
}

/** A tensor, in the words of the MONAI bundle specification (`network_data_format`). */
interface TensorFormat {
  readonly type: 'image';
  readonly format: 'magnitude' | 'hounsfield' | 'labels';
  readonly modality: string;
  readonly num_channels: number;
  /** [rows, columns] or [slices, rows, columns]. */
  readonly spatial_shape: readonly number[];
  readonly dtype: 'float32';
  readonly value_range: readonly [number, number];
  readonly is_patch_data: boolean;
  readonly channel_def: Readonly<Record<string, string>>;
}

/** What goes into a network and what comes out of it. */
export interface NetworkDataFormat {
  readonly inputs: { readonly image: TensorFormat };
  /** A probability for each class; the largest one decides. */
  readonly outputs: { readonly pred: TensorFormat };
}

/** The data format of a model's network, as tools around MONAI bundles read it. It follows from the card and is stored nowhere. */
export function networkDataFormat({ input, filter, segments }: FormattedCard): NetworkDataFormat {
  const { windowVoxels, sizePx = [] } = input;
  const shared = {
    type: 'image',
    modality: filter.modality.join(', '),
    spatial_shape: (windowVoxels ?? sizePx).toReversed(),
    dtype: 'float32',
    value_range: [0, 1],
    is_patch_data: windowVoxels !== undefined,
  } as const;
  const isCt = filter.modality.every((modality) => modality === 'CT');
  const classes = [[0, 'background'] as const, ...segments.map(({ number, label }) => [number, label] as const)];
  return {
    inputs: {
      image: {
        ...shared,
        format: isCt ? 'hounsfield' : 'magnitude',
        num_channels: 1,
        channel_def: { 0: 'image, its intensity window as 0 to 1' },
      },
    },
    outputs: {
      pred: {
        ...shared,
        format: 'labels',
        num_channels: classes.length,
        channel_def: Object.fromEntries(classes),
      },
    },
  };
}
