import { relative } from 'node:path'
import { schemeOf } from '../../config/sentinel/index.ts'
import type { ChainStep, Explanation, Place } from './explanation.ts'
import { columns, duration, painter, size, type Paint } from './paint.ts'

/** So many routes before the winner are shown; of a long table the last ones, which are the nearest. */
const mostTried = 30

/** One screen, in the order in which things happen to a request. */
export function explainScreen (facts: Explanation, cwd: string, colour: boolean): string {
  const paint = painter(colour)
  const { listener, route, refused } = facts
  const parts: Array<readonly [title: string, lines: readonly string[]]> = [
    ['request', requestLines(facts, paint)],
    ['comes in', [
      `${paint.bold(listener.id)}  ${urlOf(listener)}${listener.note === null ? '' : paint.dim(`  (${listener.note})`)}`,
      ...certificateLines(facts, cwd, paint),
    ]],
    ['routes', triedLines(facts, cwd, paint)],
    ['default', route?.byDefault === true ? [`${paint.good('✓')}  ${route.id}  ${paint.dim(`${placeText(route.place, cwd)}  the default route of listener '${listener.id}'`)}`] : []],
    ['answer', refused === null ? [] : [`${paint.bad(String(refused.status))}  ${refused.why}`]],
  ]
  if (route !== null) {
    parts.push(
      ['asks', chainLines(facts, paint)],
      ['limits', limitLines(facts)],
      ['header', headerLines(facts, paint)],
      ['goes to', upstreamLines(facts, paint)],
    )
  }
  return '\n' + parts.filter(([, lines]) => lines.length > 0).map(([title, lines]) =>
    lines.map((line, i) => `  ${i === 0 ? paint.dim(title.padEnd(10)) : ' '.repeat(10)}${line}\n`).join('')).join('\n') + '\n'
}

function urlOf (listener: Explanation['listener']): string {
  return `${schemeOf(listener)}${listener.address.startsWith('unix:') ? ' on ' : '://'}${listener.address}`
}

function certificateLines ({ certificate }: Explanation, cwd: string, paint: Paint): string[] {
  if (certificate === undefined || certificate === null) return []
  const { file, by, names, covers } = certificate
  const near = relative(cwd, file)
  const line = `shows ${near.startsWith('..') ? file : near}  ${paint.dim(`${by === 'name' ? 'for that name' : 'the listener\'s own'}: ${names.slice(0, 8).join(', ')}`)}`
  return covers ? [line] : [line, paint.warn('the certificate does not name that host: clients refuse it')]
}

function requestLines ({ request }: Explanation, paint: Paint): string[] {
  if (request === null) return []
  const { method, host, rawPath, path, upstreamPath, query, clientIp } = request
  const lines = [`${paint.bold(`${method} ${host}${rawPath}${query === '' ? '' : `?${query}`}`)}${paint.dim(`  from ${clientIp}`)}`]
  if (path !== rawPath) lines.push(`${paint.warn('judged as')} ${path}`)
  if (upstreamPath !== rawPath) lines.push(`${paint.warn('sent on as')} ${upstreamPath}`)
  return lines
}

export function placeText ({ file, line }: Place, cwd: string): string {
  const near = relative(cwd, file)
  return `${near.startsWith('..') ? file : near}:${line}`
}

function triedLines ({ tried }: Explanation, cwd: string, paint: Paint): string[] {
  const shown = tried.slice(-mostTried)
  const rows = shown.map(({ route, place, failed }) =>
    [failed === null ? '✓' : '✗', route, placeText(place, cwd), failed === null ? 'takes it' : `${failed.matcher} wants ${failed.wanted}; ${failed.found}`])
  const lines = columns(rows, (cell, column, row) => {
    const won = shown[row]!.failed === null
    if (column === 0) return won ? paint.good(cell) : paint.bad(cell)
    if (column === 2) return paint.dim(cell)
    return won ? paint.bold(cell) : cell
  })
  const more = tried.length - shown.length
  return more === 0 ? lines : [paint.dim(`… ${more} before them do not take it either (--json lists all)`), ...lines]
}

function chainLines ({ chain, filters }: Explanation, paint: Paint): string[] {
  const rows = chain.map((step) => [
    step.agent, typeOf(step), step.mode, `fails ${step.failureMode}`, duration(step.timeoutMs),
    step.events === null ? 'whatever it asks for' : step.events.join(' '),
  ])
  return [
    ...columns(rows, (cell, column, row) => {
      const { mode, failureMode } = chain[row]!
      if (column === 0) return paint.bold(cell)
      if ((column === 2 && mode !== 'enforce') || (column === 3 && failureMode === 'open')) return paint.warn(cell)
      return column === 1 ? paint.dim(cell) : cell
    }),
    ...filters.map(({ id, type }) => `${paint.bold(id)}  ${paint.dim(type)}`),
    ...chain.length + filters.length === 0 ? [paint.dim('nobody')] : [],
  ]
}

const reasons: Readonly<Record<ChainStep['by'], string>> = { guard: 'guards every route', filter: '', agent: '', guardrail: 'guardrail' }

function typeOf (step: ChainStep): string {
  return [step.type, step.filter === null ? reasons[step.by] : `by filter ${step.filter}`].filter((text) => text !== '').join(', ')
}

function limitLines ({ limits }: Explanation): string[] {
  if (limits === null) return []
  return [[
    limits.bodyBytes === null ? 'body of any size' : `body ${size(limits.bodyBytes)}`, `header ${size(limits.headerBytes)}, ${limits.headerCount} fields`,
    `${duration(limits.requestTimeoutMs)} to send it`,
  ].join('   ')]
}

function headerLines ({ headers }: Explanation, paint: Paint): string[] {
  if (headers === null) return []
  return [
    ...headers.removed.map((name) => `${paint.bad('-')} ${name}`),
    ...columns(headers.set.map(([name, value]) => [`+ ${name}`, value]), (cell, column) => column === 0 ? paint.good(cell) : cell),
  ]
}

function upstreamLines ({ upstream, otherUpstreams, responds }: Explanation, paint: Paint): string[] {
  if (typeof responds === 'string') return [paint.bold(responds)]
  if (responds !== null) return [`${paint.bold(String(responds))}  a fixed answer`]
  if (upstream === null) return [`${paint.bad('501')}  what should answer is not built in this version`]
  const rows = upstream.targets.map(({ address, weight }) => [address === upstream.firstTarget ? '→' : ' ', address, weight === 1 ? '' : `weight ${weight}`])
  return [
    `${paint.bold(upstream.id)}  ${upstream.tls ? 'TLS' : 'without TLS'}, ${upstream.balancing}, ${duration(upstream.connectTimeoutMs)} to connect, ` +
      `${duration(upstream.readTimeoutMs)} to answer${upstream.requestTimeoutMs === null ? '' : `, ${duration(upstream.requestTimeoutMs)} in all`}`,
    ...columns(rows, (cell, column) => column === 0 ? paint.good(cell) : cell),
    ...upstream.tries === null ? [] : [triesLine(upstream.tries)],
    ...otherUpstreams.length === 0 ? [] : [paint.dim(`an agent may choose ${otherUpstreams.join(', ')} instead`)],
  ]
}

function triesLine ({ most, after, hedgeMs }: NonNullable<NonNullable<Explanation['upstream']>['tries']>): string {
  const shown = after.length > 8 ? [...after.slice(0, 8), '…'] : after
  const hedged = hedgeMs === null ? '' : `; another target is asked as well after ${duration(hedgeMs)}`
  return `${most === 1 ? 'one try' : `up to ${most} tries, after ${shown.join(', ')}`}${hedged}`
}
