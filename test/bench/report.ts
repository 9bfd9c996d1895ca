import type { Part } from './case.ts'
import { figures, middle, type FigureId, type Sample } from './figures.ts'
import { kindTimes } from './profile/kinds.ts'
import type { Profile } from './profile/profile.ts'
import type { Row } from './run-case.ts'
import { goals, verdict } from './targets.ts'

export interface Conditions {
  /** One line each. */
  readonly machine: string
  readonly programs: string
  readonly seconds: number
  readonly rounds: number
  /** Of Sentinel in the first case. */
  readonly profile?: Profile | undefined
}

/** Whose figure the others are a multiple of, unless the table says otherwise. */
const usual = 'haproxy'
/** The load's core had nothing left, the proxy's had: what was counted is not what the proxy can do. */
const loadFull = 97
const proxyFull = 90
/** What others may take of the proxy's core before its latencies are theirs. */
const foreignMost = 5

/** The page test/bench/RESULTS.md. Without a date: it changes when a figure does. */
export function report (results: readonly (readonly [Part, readonly Row[]])[], { machine, programs, seconds, rounds, profile }: Conditions): string {
  const byId = new Map(results.map(([one, rows]) => [one.id, rows]))
  return `${[
    '# Proxying, measured',
    '',
    'Written by `npm run bench`. Figures of different machines cannot be compared; the ratios of one run can.',
    '',
    '| Goal | wanted | measured | |',
    '| --- | --- | --- | --- |',
    ...goals.map((goal) => {
      const { wanted, measured, word } = verdict(goal, byId)
      return `| ${goal.title} | ${wanted} | ${measured} | ${word} |`
    }),
    '',
    `- Machine: ${machine}`,
    `- Programs: ${programs}`,
    '- Each proxy has one worker on a core of its own (the others wait meanwhile); load and upstream share the other core.',
    '- Everybody keeps connections to the upstream, adds X-Forwarded-For and -Proto, and writes an access log to a file. Sentinel also counts its metrics.',
    `- Medians of ${rounds} × ${seconds} s after warming up, taken in turns, with the least and the most of them in brackets. A wrong or missing answer disqualifies.`,
    '- CPU is user and system time of the proxy\'s processes. MB are millions of bytes.',
    ...results.flatMap(([one, rows], at) => ['', ...section(one, rows), ...at === 0 && profile !== undefined ? ['', ...whereItGoes(profile, one.unit)] : []]),
  ].join('\n').trimEnd()}\n`
}

/** What no change of ours makes faster, and what is left. */
function whereItGoes (profile: Profile, unit: string): string[] {
  return [
    `Where Sentinel's time goes (a profile of ${profile.cpuUs.toFixed(1)} µs per ${unit}; the difference is the kernel's reading and waiting, which belongs to no function):`,
    '',
    '| | µs | % |',
    '| --- | ---: | ---: |',
    ...kindTimes(profile.times, profile.count).filter(({ share }) => share >= 0.005)
      .map(({ kind, us, share }) => `| ${kind.startsWith('proxy/') ? `\`${kind}\`` : kind} | ${us.toFixed(2)} | ${(share * 100).toFixed(1)} |`),
  ]
}

function section (one: Part, rows: readonly Row[]): string[] {
  const measured = rows.filter(({ samples }) => samples.length > 0)
  const present = one.figures.filter((figure) => measured.some(({ samples }) => middle(samples, figure) !== undefined))
  const titles = present.map((figure) => figures[figure].title.replace('{unit}', one.unit))
  const other = rows.find(({ contender }) => contender.id === (one.comparedWith ?? usual))
  const base = middle(other?.samples ?? [], one.figures[0] ?? 'cpuUs')
  const compared = base === undefined ? [] : [one.comparedWith === undefined ? `× ${other?.contender.title}` : '× the first']
  const [first, ...others] = titles
  const table = first === undefined ? [] : [
    `| | ${[first, ...compared, ...others].join(' | ')} |`,
    `| --- | ${[first, ...compared, ...others].map(() => '---:').join(' | ')} |`,
    ...measured.map((row) => line(row, present, base?.median)),
  ]
  const remarks = [
    ...one.paceOf === undefined && one.clients === undefined ? loadBound(measured) : [],
    ...disturbed(measured),
    ...rows.filter(({ skipped }) => skipped !== undefined).map(({ contender, skipped }) => `- Not measured: ${contender.title} (${skipped?.split('\n')[0]})`),
  ]
  const parts = [[`\`${one.id}\`: ${one.conditions}.`], table, remarks].filter((lines) => lines.length > 0)
  return [`## ${one.title}`, ...parts.flatMap((lines) => ['', ...lines])]
}

function line ({ contender, samples }: Row, present: readonly FigureId[], base: number | undefined): string {
  const [first, ...others] = present.map((figure) => cell(samples, figure))
  const leading = present[0] === undefined ? undefined : middle(samples, present[0])
  const compared = base === undefined ? [] : [leading === undefined ? '' : (leading.median / base).toFixed(2)]
  return `| ${contender.title} | ${[first, ...compared, ...others].join(' | ')} |`
}

function cell (samples: readonly Sample[], figure: FigureId): string {
  const found = middle(samples, figure)
  if (found === undefined) return ''
  const { digits, spread } = figures[figure]
  const [median, least, most] = [found.median, found.least, found.most].map((value) => value.toFixed(digits))
  return spread && least !== most ? `${median} (${least}–${most})` : `${median}`
}

function loadBound (rows: readonly Row[]): string[] {
  const bound = rows.filter(({ samples }) => {
    return (middle(samples, 'loadPercent')?.median ?? 0) >= loadFull && (middle(samples, 'busyPercent')?.median ?? 100) < proxyFull
  })
  if (bound.length === 0) return []
  return [`- Load and upstream were the bottleneck for ${bound.map(({ contender }) => contender.title).join(', ')}: more per second is possible, CPU is right all the same.`]
}

function disturbed (rows: readonly Row[]): string[] {
  const shares = rows.map(({ samples }) => middle(samples, 'foreignPercent')?.median ?? 0)
  const most = Math.max(0, ...shares)
  return most <= foreignMost ? [] : [`- Other programs used up to ${most.toFixed(0)} % of the proxy's core meanwhile: rates, latencies and CPU are worse than they would be alone.`]
}
