/** One row of the closed set of faults: HTTP status, short title, what to do. */
export interface ErrorRow {
  readonly status: number;
  readonly title: string;
  readonly hint: string;
}

const row = (status: number, title: string, hint: string): ErrorRow => ({ status, title, hint });

/** Every code that a client, the CLI or the log can see. Codes are stable; texts may improve. */
export const errorTable = {
  // requests
  'request-invalid': row(422, 'Request not valid', 'Correct the fields named in the message and send it again.'),
  'request-too-large': row(413, 'Request too large', 'Send less data, or raise the limit in the server settings.'),
  'not-found': row(404, 'Not found', 'Check the address; the resource may never have existed.'),
  'not-authenticated': row(401, 'Not signed in', 'Sign in again in the viewer and retry.'),
  'issuer-unreachable': row(
    503,
    'Sign-in service not reachable',
    'Try again in a minute; if it stays, check UNCOL_OIDC_ISSUER and the network.',
  ),
  'not-allowed': row(403, 'Not allowed', 'Ask an administrator for the role named in the message.'),
  'idempotency-conflict': row(409, 'Key used before', 'Use a new Idempotency-Key for a different request.'),
  'too-busy': row(503, 'Too much work queued', 'Try again in a minute.'),
  internal: row(500, 'Unexpected fault', 'Try again; if it stays, give the time to the administrator.'),
  // settings and set-up
  'config-invalid': row(
    500,
    'Settings not valid',
    'Correct the settings named in the message; `uncol doctor` lists all.',
  ),
  'setup-failed': row(500, 'Set-up failed', 'Read the step that failed; run the same command again to resume.'),
  'integrity-mismatch': row(500, 'File is not what was expected', 'Delete the named file; set-up fetches it again.'),
  'database-unavailable': row(503, 'Database not reachable', 'Check DATABASE_URL or the embedded database log.'),
  'server-unreachable': row(
    503,
    'Server not reachable',
    'Start it with `uncol serve`, or name its address (--server).',
  ),
  // PACS
  'pacs-unreachable': row(503, 'PACS not reachable', 'Check UNCOL_PACS_URL, the network and that the PACS runs.'),
  'pacs-refused': row(502, 'PACS refused', 'Check the PACS credentials and the rights of the service account.'),
  'pacs-answer-invalid': row(502, 'PACS answer not understood', 'Check that UNCOL_PACS_URL is a DICOMweb address.'),
  'pacs-store-failed': row(502, 'PACS did not store the object', 'Nothing is lost: storing is tried again by itself.'),
  'pacs-object-too-large': row(
    502,
    'Object too large for the PACS',
    'The correction is kept. Raise the limit of the PACS or of the proxy before it (nginx: client_max_body_size); the next start of the server stores it.',
  ),
  // series
  'series-not-found': row(404, 'Series not found', 'Check the UIDs; the study may have been moved or deleted.'),
  'series-not-image': row(
    422,
    'Series holds no image volume',
    'Choose an image series (MR or CT) in the active viewport.',
  ),
  'series-modality-mismatch': row(422, 'Model is for another modality', 'Choose a model whose card fits the series.'),
  'series-too-few-slices': row(422, 'Too few slices', 'Choose a volume series; localizers cannot be segmented.'),
  'series-mixed-geometry': row(422, 'Slices do not belong together', 'Split the series, or choose another one.'),
  'series-missing-slices': row(422, 'Slices are missing', 'Send the complete series to the PACS and try again.'),
  'series-duplicate-slices': row(422, 'Two different slices at one position', 'Remove the duplicates from the series.'),
  'series-several-volumes': row(
    422,
    'Several volumes in one series',
    'Choose one of them in the panel; a program names it (`volume` of the request, `--volume` of the command).',
  ),
  'series-uneven-spacing': row(422, 'Slices are unevenly spaced', 'Choose an evenly spaced reconstruction.'),
  'series-tilted': row(422, 'Slices lean too far', 'Choose a reconstruction whose slices lie above each other.'),
  'series-no-contrast': row(422, 'Series is constant', 'Choose a series with image content.'),
  'series-not-writable': row(
    422,
    'Source attributes not usable',
    'The series cannot be referenced by a SEG; see the message.',
  ),
  'instance-unreadable': row(422, 'An instance cannot be read', 'Send that instance to the PACS again.'),
  'transfer-syntax-unsupported': row(422, 'Compression not supported', 'Ask the PACS for another transfer syntax.'),
  'image-too-large': row(422, 'Series too large', 'Choose a smaller series or raise the limit in the settings.'),
  'seg-unsupported': row(
    422,
    'SEG not of a readable kind',
    'Export the segmentation again as BINARY DICOM SEG on the slices of its series.',
  ),
  'frames-unaligned': row(
    406,
    'Frames do not fill whole words',
    'Ask for its frames one by one: each is then given from the first bit of a byte on.',
  ),
  'rtstruct-unsupported': row(
    422,
    'RTSTRUCT not of a readable kind',
    'Export the region again as closed contours on the slices of its series, or as a BINARY DICOM SEG.',
  ),
  // masks that were made elsewhere
  'import-not-a-mask': row(422, 'Object holds no mask', 'Name a DICOM SEG or an RTSTRUCT, and which of several.'),
  'import-elsewhere': row(422, 'Mask is of another image', 'Choose the series that the mask was drawn on.'),
  'import-grid-differs': row(
    422,
    'Mask is on another grid',
    'Check that the mask belongs to this series; then agree to carry it over, or export it on its slices.',
  ),
  'import-automatic': row(422, 'No reader has touched the mask', 'Look at it; then say that you vouch for it.'),
  'import-known': row(409, 'Mask was handed in before', 'Take that correction back first, to import the mask anew.'),
  // data of a site for training
  'nifti-invalid': row(
    422,
    'NIfTI file not readable',
    'Write the image again as NIfTI-1 (.nii or .nii.gz), one volume.',
  ),
  'truth-elsewhere': row(422, 'Image and truth do not meet', 'Check that the truth belongs to this image.'),
  'truth-segment-unknown': row(
    422,
    'Truth has no usable segment',
    'Map segments of the truth to segments of the card with the key `segments` of the split.',
  ),
  'case-unreadable': row(422, 'A case cannot be read', 'Check the paths of the case named in the message.'),
  'split-empty': row(422, 'A split holds nothing', 'Add cases to the split named in the message.'),
  'split-patient-shared': row(
    422,
    'A patient stands in two splits',
    'Keep all images of a patient in one split, so that what is measured was never learnt.',
  ),
  'split-no-foreground': row(
    422,
    'Nothing to learn from',
    'Check the truths of the labelled split and how their segments are mapped.',
  ),
  // models
  'model-not-found': row(404, 'Model not found', 'List the models with `uncol models`.'),
  'model-invalid': row(500, 'Model folder not valid', 'Restore the folder; its files must match the card.'),
  'recipe-invalid': row(422, 'Recipe not valid', 'Correct the keys named in the message.'),
  'teacher-invalid': row(
    422,
    'Generalized teacher not usable',
    'Compare its files with its manifest; see models/README.',
  ),
  'engine-failed': row(500, 'Network could not be run', 'Run `uncol doctor`; it names the fault and the engines.'),
  'engine-unavailable': row(
    500,
    'Engine cannot be used here',
    'Set UNCOL_ENGINE to auto or to one that `uncol doctor` shows as there.',
  ),
  // inference and corrections
  'inference-not-found': row(
    404,
    'Inference not found',
    'Press Segment again; the server may use another database now.',
  ),
  'inference-not-ready': row(409, 'Inference is not finished', 'Wait until the job is done.'),
  'correction-geometry-mismatch': row(
    422,
    'Correction is on another grid',
    'Correct the mask on the series it was made for.',
  ),
  'correction-segment-unknown': row(
    422,
    'Unknown segment in correction',
    'Use only the segments of the model card; a new one needs a model made for it (uncol train).',
  ),
  'correction-empty-approval': row(422, 'No slice is vouched for', 'Edit a slice, or tick "I checked every slice".'),
  'job-not-found': row(404, 'Job not found', 'Check the identifier.'),
  'job-cancelled': row(409, 'Job was cancelled', 'Start it again if it is still wanted.'),
  'child-lost': row(500, 'Worker process ended', 'It is started again by itself; try again.'),
  // learning
  'round-not-found': row(
    404,
    'Round not found',
    'List the rounds with `uncol rounds`; give enough of the id to tell it from others.',
  ),
  'round-running': row(409, 'A round is running for this model', 'Wait for its verdict.'),
  'round-no-corrections': row(409, 'Nothing to learn from', 'Submit a correction first.'),
  'candidate-not-found': row(
    404,
    'Candidate not found',
    'List the rounds with `uncol rounds`: a round that is done has one.',
  ),
  'training-collapsed': row(
    500,
    'Distillation collapsed',
    'Lower the weight of the distillation, or train without it.',
  ),
  'training-not-finite': row(
    500,
    'Training left the numbers',
    'What is in service stays. Look at the data that it learnt from, or lower the learning rate of the recipe.',
  ),
  'promotion-not-possible': row(
    409,
    'Cannot promote',
    'Look at `uncol models`: which versions there are, and which serves.',
  ),
  'refusal-not-possible': row(
    409,
    'Cannot refuse',
    'Only a candidate that passed the gate and does not serve can be refused, once.',
  ),
  'memory-short': row(
    507,
    'Not enough memory for a round',
    'It is tried again by itself; end other programs, or give the machine more memory.',
  ),
  'disk-full': row(507, 'Disk full', 'Free space below UNCOL_HOME.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;
