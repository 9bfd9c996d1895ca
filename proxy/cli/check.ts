import { dirname, resolve } from 'node:path'
import type { Loaded } from '../../config/sentinel/index.ts'
import type { UnbuiltInFile } from '../../config/schema/index.ts'
import type { Finding } from '../lifecycle/probes/probe.ts'
import { jsonText } from '../observe/quote.ts'
import type { Command, OptionValues, Shell } from './command.ts'
import { configFile, configOption } from './config-file.ts'
import { placeShower } from './places.ts'

const probes = ['network', 'certs', 'agents'] as const

export const check: Command = {
  name: 'check',
  doc: 'Check configurations, and the files they name, and print every problem with file, line and column. Exit code 0: they can run; 1: one cannot.',
  arguments: '[FILE…]',
  options: {
    config: configOption,
    'text-only': { type: 'boolean', doc: 'Judge the text alone: no files that it names, and an unset ${NAME} is only a warning.' },
    network: { type: 'boolean', doc: 'Connect to every target, with TLS where its upstream wants that.' },
    certs: { type: 'boolean', doc: 'Look at every certificate: its key, its chain, its hosts, and when it expires.' },
    agents: { type: 'boolean', doc: 'Look whether programs of agents can be started, and whether the others answer.' },
    'list-unbuilt': { type: 'boolean', doc: 'List what the file gives that is accepted and not in effect yet; without a file, all there is.' },
    all: { type: 'boolean', doc: 'With --list-unbuilt: everything of the language that is not in effect yet.' },
    json: { type: 'boolean', doc: 'As JSON.' },
  },
  async run (shell, options, args) {
    const wrong = contradiction(options, args)
    if (wrong !== undefined) {
      shell.err(`sentinel check: ${wrong}\nTry: sentinel check --help\n`)
      return 2
    }
    if (options['list-unbuilt'] === true && (options['all'] === true || await hasNoFile(shell, options, args))) {
      const { printUnbuilt } = await import('./print-unbuilt.ts')
      shell.out(printUnbuilt(options['json'] === true))
      return 0
    }
    const only = args.length > 0 ? undefined : configFile('check', shell, options)
    const files = only === undefined ? args.map((file) => resolve(shell.cwd, file)) : [only]
    if (files.length === 0) return 1
    const results: Checked[] = []
    // One after another: what is printed of one file stands together, and probes are bounded for all.
    for (const file of files) {
      const result = await checkOne(file, shell, options)
      if (options['json'] !== true) shell.out(await printed(result, shell, options['list-unbuilt'] === true))
      results.push(result)
    }
    const ok = results.every((result) => result.ok)
    if (options['json'] === true) shell.out(`${jsonText(args.length > 1 ? { ok, files: results.map(asJson) } : asJson(results[0]!))}\n`)
    return ok ? 0 : 1
  },
}

function contradiction (options: OptionValues, args: readonly string[]): string | undefined {
  if (args.length > 0 && options['config'] !== undefined) return 'name the files either with -c or as arguments.'
  const asked = probes.find((probe) => options[probe] === true)
  if (options['text-only'] === true && asked !== undefined) return `--text-only looks at nothing outside of the text: leave out --${asked}.`
  if (options['all'] === true && options['list-unbuilt'] !== true) return '--all goes with --list-unbuilt.'
  return undefined
}

async function hasNoFile (shell: Shell, options: OptionValues, args: readonly string[]): Promise<boolean> {
  const { existsSync } = await import('node:fs')
  return args.length === 0 && options['config'] === undefined && !existsSync(resolve(shell.cwd, 'sentinel.kdl'))
}

interface Checked {
  readonly file: string
  readonly ok: boolean
  readonly loaded: Loaded
  readonly findings: readonly Finding[] | undefined
  /** Probes that were asked for and had nothing to look at. */
  readonly idle: ReadonlyArray<typeof probes[number]>
  readonly unbuilt: readonly UnbuiltInFile[] | undefined
}

async function checkOne (file: string, shell: Shell, options: OptionValues): Promise<Checked> {
  const { loadConfig } = await import('../../config/sentinel/index.ts')
  const loaded = await loadConfig(file, { env: shell.env, textOnly: options['text-only'] === true })
  const wanted = probes.filter((probe) => options[probe] === true)
  const findings = wanted.length === 0 ? undefined : await probe(file, loaded, wanted, shell)
  const failed = findings?.some(({ level }) => level === 'error') === true
  const unbuilt = options['list-unbuilt'] === true ? await unbuiltOf(loaded) : undefined
  const idle = wanted.filter((one) => loaded.config !== undefined && findings?.some(({ probe: by }) => by === one) === false)
  return { file, ok: loaded.config !== undefined && !failed, loaded, findings, idle, unbuilt }
}

/** What the tree knows, and what only a check of a whole block could say. */
async function unbuiltOf (loaded: Loaded): Promise<UnbuiltInFile[]> {
  const { effectiveConfig } = await import('../../config/sentinel/index.ts')
  const { unbuiltIn } = await import('../../config/schema/index.ts')
  const found = unbuiltIn(effectiveConfig(loaded))
  const lines = new Set(found.map(({ at }) => `${at.file}:${at.line}:${at.column}`))
  const others = loaded.problems.filter(({ code, position: at }) => code === 'CONFIG_NOT_BUILT' && !lines.has(`${at.file}:${at.line}:${at.column}`))
  return [...found, ...others.map(({ message, hint, position }) => ({ path: '', doc: message, at: position, ...hint === undefined ? {} : { instead: hint } }))]
    .toSorted((a, b) => a.at.file.localeCompare(b.at.file) || a.at.line - b.at.line || a.at.column - b.at.column)
}

async function probe (file: string, loaded: Loaded, wanted: ReadonlyArray<typeof probes[number]>, shell: Shell): Promise<Finding[]> {
  const { effectiveConfig, withheld } = await import('../../config/sentinel/index.ts')
  const tree = effectiveConfig(loaded)
  const { config, secrets } = loaded
  const found: Finding[] = []
  if (wanted.includes('certs')) found.push(...await (await import('../lifecycle/probes/certificates.ts')).probeCertificates(tree, new Date()))
  // A configuration with errors does not say for sure whom to connect to.
  if (wanted.includes('network') && config !== undefined) found.push(...await (await import('../lifecycle/probes/network.ts')).probeNetwork(config, tree))
  if (wanted.includes('agents') && config !== undefined) {
    found.push(...await (await import('../lifecycle/probes/agents.ts')).probeAgents(config, tree, { env: shell.env, cwd: dirname(file) }))
  }
  return found.map((finding) => ({ ...finding, what: withheld(finding.what, secrets), message: withheld(finding.message, secrets) }))
}

function asJson ({ file, ok, loaded: { problems }, findings, unbuilt }: Checked): object {
  return { file, ok, problems, ...findings === undefined ? {} : { findings }, ...unbuilt === undefined ? {} : { unbuilt } }
}

async function printed ({ file, loaded: { config, problems, sources }, findings, idle, unbuilt }: Checked, shell: Shell, listOnly: boolean): Promise<string> {
  const { printProblems } = await import('../../config/sentinel/index.ts')
  const { nothingToProbe, printFindings, printUnbuiltIn } = await import('./print-check.ts')
  const place = placeShower(dirname(file))
  const count = (severity: string): number => problems.filter((problem) => problem.severity === severity).length
  const shown = listOnly ? problems.filter(({ severity }) => severity === 'error') : problems
  const out = [printProblems(shown, sources, { colour: shell.colour })]
  if (unbuilt !== undefined) out.push(printUnbuiltIn(file, unbuilt, place))
  if (findings !== undefined) out.push(printFindings(findings, place, shell.colour), ...idle.map(nothingToProbe))
  const failed = findings?.filter(({ level }) => level === 'error').length ?? 0
  if (config === undefined && findings !== undefined) out.push('targets and agents were not looked at: the configuration has errors\n')
  if (config === undefined) out.push(`${file}: ${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}\n`)
  else if (failed > 0) out.push(`${file}: the configuration is ok, ${plural(failed, 'error')} outside of it\n`)
  else if (!listOnly) {
    out.push(`${file}: ok (${plural(config.listeners.length, 'listener')}, ${plural(config.routes.length, 'route')}, ${plural(config.upstreams.length, 'upstream')}, ` +
      `${plural(config.agents.length, 'agent')}; ${plural(count('warning'), 'warning')})\n`)
  }
  return out.join('')
}

function plural (count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
