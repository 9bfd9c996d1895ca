import { printable } from '../../observe/quote.ts'
import { painter, type Paint } from '../paint.ts'
import type { Cases } from './cases.ts'
import type { Compared } from './compare.ts'
import type { Change } from './put-cases.ts'
import type { AgentReport, Report } from './put-to-all.ts'

export function exitCode ({ agents }: Report): number {
  if (agents.some(({ broken }) => broken !== undefined)) return 2
  if (agents.some(({ changes }) => changes.length > 0)) return 1
  return agents.some(({ notAsked }) => notAsked.size > 0) ? 2 : 0
}

export function reportJson ({ agents, notes }: Report, { cases }: Cases): object {
  return {
    cases: cases.length, notes,
    agents: agents.map(({ agent, cases: put, asked, changes, notAsked, broken }) => ({
      agent, cases: put, asked, ...broken === undefined ? {} : { broken }, not_asked: Object.fromEntries(notAsked),
      changes: changes.map(({ case: { at, id, line, route }, event, what, before, after, uncertain }) => ({
        at, id, request: line, route, event, what, before: shownJson(before), after: shownJson(after), uncertain,
      })),
    })),
  }
}

function shownJson ({ answer, edits, attributes, body, ...words }: Compared): object {
  const parsed = (text: string): unknown => text === '' ? null : JSON.parse(text)
  return { ...words, answer: parsed(answer), edits: parsed(edits), attributes: parsed(attributes), body: parsed(body) }
}

export function reportText ({ agents, notes }: Report, { cases }: Cases, colour: boolean): string {
  const paint = painter(colour)
  const out = notes.map((note) => paint.dim(printable(note)))
  for (const report of agents) out.push(...agentLines(report, paint))
  const changed = new Set(agents.flatMap(({ changes }) => changes.map((change) => change.case))).size
  const partly = agents.some(({ broken, notAsked }) => broken !== undefined || notAsked.size > 0)
  const text = `${count(cases.length, 'case')}, ${changed === 0 ? 'no decision would change' : `in ${changed} of them decisions would change`}${partly ? ', as far as could be asked' : ''}`
  out.push(partly || changed > 0 ? paint.warn(text) : paint.good(text))
  return `${out.join('\n')}\n`
}

function agentLines ({ agent, cases, asked, changes, notAsked, broken }: AgentReport, paint: Paint): string[] {
  const out = [paint.bold(printable(`${agent}: ${count(cases, 'case')}, ${count(asked, 'question')}`))]
  if (broken !== undefined) out.push(paint.bad(printable(`  it could not be asked to the end: ${broken}`)))
  for (const [why, times] of notAsked) out.push(paint.warn(printable(`  not asked ${count(times, 'time')}: ${why}`)))
  const groups = grouped(changes)
  for (const [title, all] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    out.push(`  ${paint.warn(printable(title))}  ${paint.dim(count(all.length, 'time'))}`)
    for (const change of all.slice(0, mostShown)) out.push(...changeLines(change, paint))
    if (all.length > mostShown) out.push(paint.dim(`    … and ${all.length - mostShown} more (--json has all)`))
  }
  return out
}

/** Requests told of each group. */
const mostShown = 20

function grouped (changes: readonly Change[]): Map<string, Change[]> {
  const groups = new Map<string, Change[]>()
  for (const change of changes) groups.set(titleOf(change), [...groups.get(titleOf(change)) ?? [], change])
  return groups
}

/** What changed, in words that many changes share. */
function titleOf ({ event, what, before, after }: Change): string {
  const where = event === 'request_headers' ? '' : `${event.replaceAll('_', ' ')}: `
  if (what.includes('verdict')) return `${where}${withReason(before)} → ${withReason(after)}`
  return `${where}${before.verdict}: other ${what.join(', ')}`
}

function withReason ({ verdict, reason }: Compared): string {
  return reason === '' ? verdict : `${verdict} (${reason})`
}

function changeLines ({ case: { at, line, route }, what, before, after, uncertain }: Change, paint: Paint): string[] {
  // Another verdict brings another answer with it.
  const details = what.filter((one) => what.includes('verdict') ? one === 'edits' || one === 'attributes' : true)
  return [
    `    ${paint.bold(printable(line))}  ${paint.dim(printable(`${route} ${at}`))}`,
    ...details.map((one) => printable(`      ${one}: ${shortened(before[one])} → ${shortened(after[one])}`)),
    ...uncertain.length === 0 ? [] : [paint.dim(printable(`      uncertain: ${uncertain.join(', ')} ${uncertain.length === 1 ? 'is' : 'are'} not in the recording`))],
  ]
}

function shortened (text: string): string {
  const shown = text === '' || text === '{}' ? 'none' : text
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}

function count (amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`
}
