import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { AppError } from '../errors/app-error.ts';
import { caseOrders, caseStates } from '../worklist/case.ts';
import type { ImportArguments } from './import.ts';
import { runCommand } from './output.ts';
import type { WorklistArguments } from './worklist.ts';

// Only what parses the command line is imported here: each command loads its own parts when it runs.

const jsonOption = ['--json', 'one JSON value on stdout, everything else on stderr'] as const;
const volumeOption = ['--volume <name>', 'volume, when the series holds several; the refusal names them'] as const;

/** The command line. Exit codes: 0 success, 1 failure, 2 wrong usage. */
export function createProgram(): Command {
  const program = new Command('uncol')
    .description('UnCoL for OHIF: segment, correct and learn. For research, not for diagnosis.')
    .exitOverride()
    .showHelpAfterError('(--help shows what is possible)');

  program
    .command('serve')
    .description('start PACS, database and server, and print the address to open; Ctrl-C ends all')
    .option(...jsonOption)
    .addHelpText('after', example('UNCOL_PORT=9000 uncol serve'))
    .action(({ json }: { json?: boolean }) =>
      runCommand(json, async () => (await import('./serve.ts')).runServe(json)),
    );

  program
    .command('segment')
    .description('segment one series and write its mask, as a DICOM SEG or as labels')
    .argument('<source>', 'folder of DICOM files, or DICOMweb address of a series (.../studies/1/series/2)')
    .requiredOption('--out <file>', 'file to write')
    .addOption(
      new Option('--format <format>', 'a DICOM SEG of one of three types, or labels alone: .nii.gz, .seg.nrrd')
        .choices(maskFormats)
        .default('dicom-seg'),
    )
    .addOption(
      new Option('--pixels <encoding>', 'of a DICOM file; rle not with dicom-seg: the standard has none for bits')
        .choices(pixelEncodings)
        .default('native'),
    )
    .option('--series <uid>', 'Series Instance UID, when the folder holds several')
    .option(...volumeOption)
    .option('--model <name[@version]>', 'model; default: the first that fits the series', parseModel)
    .option(...jsonOption)
    .addHelpText('after', example('uncol segment ./head-mr --out head-mr.seg.dcm --model brain-mr'))
    .action((source: string, options: SegmentArguments) =>
      runCommand(options.json, async () => (await import('./segment.ts')).runSegment({ source, ...options })),
    );

  program
    .command('import')
    .description('hand in a SEG or RTSTRUCT that the PACS holds as a correction, through the running server')
    .argument('<study>', 'Study Instance UID')
    .argument('<series>', 'Series Instance UID of the image')
    .argument('<object>', 'Series Instance UID of the mask; with /<SOP Instance UID> where the series holds several')
    .option('--model <name[@version]>', 'model; default: the first that fits the series', parseModel)
    .option(...volumeOption)
    .option('--segment <name=segment>', 'structure, by label or number, and what it is; repeatable', collect, [])
    .option('--leave-out <name>', 'structure that is none of the segments; repeatable', collect, [])
    .option('--absent <segment>', 'segment that the image does not show; repeatable', collect, [])
    .option('--resample', 'agree to the nearest voxel for a mask on another grid, and to losing what lies outside')
    .option('--every-slice', 'vouch that slices which the mask says nothing of show nothing')
    .option('--accept-automatic', 'vouch for what an algorithm drew and nobody changed')
    .option('--server <url>', 'address of the server; default: that of the settings')
    .option('--token-file <file>', 'file with a bearer token, where the server wants one')
    .option(...jsonOption)
    .addHelpText('after', example('uncol import 1.2.840.1 1.2.840.2 1.2.840.3 --segment "Hirn=Brain"'))
    .action((study: string, series: string, object: string, options: ImportArguments) =>
      runCommand(options.json, async () => (await import('./import.ts')).runImport(study, series, object, options)),
    );

  program
    .command('train')
    .description('train a model version from a recipe; a stopped run goes on where it was')
    .argument('<recipe>', 'recipe.json')
    .requiredOption('--out <folder>', 'folder of the version, e.g. models/brain-mr/1')
    .option('--looks-only', 'train nothing: renew what the card there says of the images that the model is made for')
    .option(...jsonOption)
    .addHelpText('after', example('uncol train models/brain-mr/1/recipe.json --out models/brain-mr/1'))
    .action((recipe: string, { out, json, looksOnly }: { out: string; json?: boolean; looksOnly?: boolean }) =>
      runCommand(json, async () => (await import('./train.ts'))[looksOnly ? 'runLooks' : 'runTrain'](recipe, out)),
    );

  program
    .command('ablate')
    .description('train with parts of the method left out and compare; a stopped run goes on where it was')
    .argument('<recipe>', 'ablation recipe, JSON')
    .requiredOption('--out <folder>', 'folder of rows, table and charts')
    .option(...jsonOption)
    .addHelpText('after', example('uncol ablate models/ablation.json --out ./ablation'))
    .action((recipe: string, { out, json }: { out: string; json?: boolean }) =>
      runCommand(json, async () => (await import('./ablate.ts')).runAblate(recipe, out)),
    );

  program
    .command('rounds')
    .description('list fine-tuning rounds and their verdicts, newest first; or show one, case by case')
    .argument('[round]', 'id of a round, or how it begins')
    .option('--model <name>', 'only rounds of this model')
    .option('--report <file>', 'write the one round as a page, with pictures of what lost most')
    .option(...jsonOption)
    .addHelpText('after', example('uncol rounds 3f2a91c0 --report round.html'))
    .action((id: string | undefined, { model, report, json }: RoundArguments) =>
      runCommand(json, async () => {
        const { runRound, runRounds } = await import('./rounds.ts');
        if (id !== undefined) return runRound(id, report);
        if (report !== undefined) throw new AppError('request-invalid', '--report is of one round: name it.');
        return runRounds(model);
      }),
    );

  program
    .command('quality')
    .description('how far readers agreed with each version of a model, and whether that is falling')
    .argument('<model>', 'name of the model')
    .option(...jsonOption)
    .addHelpText('after', example('uncol quality lesion-mr'))
    .action((model: string, { json }: { json?: boolean }) =>
      runCommand(json, async () => (await import('./quality.ts')).runQuality(model)),
    );

  program
    .command('worklist')
    .description('studies that fit a model and what has become of each; without a model, how many of each stand where')
    .option('--model <name>', 'name of the model')
    .addOption(
      new Option('--order <order>', 'what the model is least sure of, drawn, or newest first')
        .choices(caseOrders)
        .default('uncertainty'),
    )
    .addOption(new Option('--state <state>', 'only cases in this state').choices(caseStates))
    .option(...jsonOption)
    .addHelpText('after', example('uncol worklist --model lesion-mr --state segmented'))
    .action(({ json, ...options }: WorklistArguments & { json?: boolean }) =>
      runCommand(json, async () => (await import('./worklist.ts')).runWorklist(options)),
    );

  program
    .command('models')
    .description('list model versions and which of them serve')
    .option(...jsonOption)
    .addHelpText('after', example('uncol models --json'))
    .action(({ json }: { json?: boolean }) => runCommand(json, async () => (await import('./models.ts')).runModels()));

  program
    .command('sign')
    .description('sign a version folder that came from elsewhere, so that this server may serve it')
    .argument('<folder>', 'name/version below UNCOL_HOME/models')
    .option(...jsonOption)
    .addHelpText('after', example('uncol sign ~/.local/share/uncol/models/liver-ct/1'))
    .action((folder: string, { json }: { json?: boolean }) =>
      runCommand(json, async () => (await import('./sign.ts')).runSign(folder)),
    );

  program
    .command('usage')
    .description('disk space that the server takes, and what it asked of the PACS, by day')
    .addOption(new Option('--days <n>', 'days of traffic').argParser(wholeNumber).default(7))
    .option(...jsonOption)
    .addHelpText('after', example('uncol usage --days 30'))
    .action(({ days, json }: { days: number; json?: boolean }) =>
      runCommand(json, async () => (await import('./usage.ts')).runUsage(days)),
    );

  program
    .command('forget')
    .description('let nothing be learnt from a study any more, and list the versions that it had a part in')
    .argument('<study>', 'Study Instance UID')
    .requiredOption('--reason <text>', 'why, kept on record; no patient data')
    .option(...jsonOption)
    .addHelpText('after', example('uncol forget 1.2.840.1 --reason "consent withdrawn"'))
    .action((study: string, { reason, json }: Reasoned) =>
      runCommand(json, async () => (await import('./forget.ts')).runForget(study, reason)),
    );

  addDecisions(program);

  program
    .command('doctor')
    .description('check settings, engine, PACS, database and models')
    .option(...jsonOption)
    .addHelpText('after', example('uncol doctor'))
    .action(({ json }: { json?: boolean }) => runCommand(json, async () => (await import('./doctor.ts')).runDoctor()));
  return program;
}

/** What an administrator decides about models; each with a reason that stays on record. */
function addDecisions(program: Command): void {
  const reasonOption = ['--reason <text>', 'why, kept on record; no patient data'] as const;
  const decision = (name: string, description: string, line: string) =>
    program
      .command(name)
      .description(description)
      .option(...jsonOption)
      .addHelpText('after', example(line));
  const model = ['<model>', 'name of the model'] as const;
  decision(
    'promote',
    'put a version in service: a candidate that waits, or an earlier one again',
    'uncol promote lesion-mr@3 --reason "checked on our own cases"',
  )
    .argument('<name@version>', 'the version', parseVersion)
    .requiredOption(...reasonOption)
    .action((named: string, { reason, json }: Reasoned) =>
      runCommand(json, async () => (await import('./decide.ts')).runPromote(named, reason)),
    );
  decision('rollback', 'take back the latest promotion of a model', 'uncol rollback lesion-mr --reason "misses more"')
    .argument(...model)
    .requiredOption(...reasonOption)
    .action((name: string, { reason, json }: Reasoned) =>
      runCommand(json, async () => (await import('./decide.ts')).runRollback(name, reason)),
    );
  const holds = [
    [
      'pause',
      'resume',
      'round_pause',
      'let no round of a model start by itself',
      'let rounds start by themselves again',
    ],
    ['pin', 'unpin', 'model_pin', 'keep the version in service whatever rounds find', 'let new versions come again'],
  ] as const;
  for (const [set, clear, table, toSet, toClear] of holds) {
    decision(set, toSet, `uncol ${set} lesion-mr --reason "study in progress"`)
      .argument(...model)
      .requiredOption(...reasonOption)
      .action((name: string, { reason, json }: Reasoned) =>
        runCommand(json, async () => (await import('./decide.ts')).runHold(table, name, reason)),
      );
    decision(clear, toClear, `uncol ${clear} lesion-mr`)
      .argument(...model)
      .action((name: string, { json }: { json?: boolean }) =>
        runCommand(json, async () => (await import('./decide.ts')).runRelease(table, name)),
      );
  }
}

interface Reasoned {
  readonly reason: string;
  readonly json?: boolean;
}

/** Options of `uncol segment`. */
interface RoundArguments {
  readonly model?: string;
  readonly report?: string;
  readonly json?: boolean;
}

const maskFormats = ['dicom-seg', 'dicom-labelmap', 'dicom-fractional', 'nifti', 'nrrd'] as const;
const pixelEncodings = ['native', 'rle', 'deflated'] as const;

export interface SegmentArguments {
  readonly format: (typeof maskFormats)[number];
  readonly pixels: (typeof pixelEncodings)[number];
  readonly out: string;
  readonly series?: string;
  readonly volume?: string;
  readonly model?: string;
  readonly json?: boolean;
}

/** Parses and runs a command line. @returns the exit code. */
export async function runCli(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...argv]);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Help and usage errors have been printed by the parser.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}

function example(line: string): string {
  return `\nExample: ${line}`;
}

function parseVersion(value: string): string {
  if (/^[a-z0-9-]{1,40}@\d{1,6}$/.test(value)) return value;
  throw new InvalidArgumentError('A version is named as name@version, e.g. lesion-mr@3.');
}

function parseModel(value: string): string {
  if (/^[a-z0-9-]{1,40}(@\d{1,6})?$/.test(value)) return value;
  throw new InvalidArgumentError('A model is named as name or name@version, e.g. brain-mr@1.');
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 400) return value;
  throw new InvalidArgumentError('A whole number from 1 to 400 is wanted.');
}
