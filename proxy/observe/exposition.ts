import { HistogramCell, type AnyFamily, type Exemplar } from './registry.ts'

/** The two texts in which series are told: Prometheus' own (0.0.4), and OpenMetrics 1.0, which carries exemplars. */
export type Form = 'prometheus' | 'openmetrics'

export const contentTypes: Readonly<Record<Form, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** What whoever asks reads best (RFC 9110 section 12.5.1). OpenMetrics is given to those alone who name it. */
export function formFor (accept: string | undefined): Form {
  let open = 0
  let plain = 0
  for (const part of (accept ?? '').slice(0, 2_000).toLowerCase().split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim())
    const value = (name: string): string | undefined => parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1)
    const weight = Number(value('q') ?? 1)
    const version = value('version')
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0' || version === '0.0.1')) open = Math.max(open, weight)
    // Prometheus 3 also asks for version 1.0.0 of its own form, which is spoken by nobody here.
    else if (type === 'text/plain' && (version === undefined || version === '0.0.4')) plain = Math.max(plain, weight)
  }
  return open > 0 && open >= plain ? 'openmetrics' : 'prometheus'
}

/** All families as text. A family without series is left out. */
export function expose (families: readonly AnyFamily[], form: Form = 'prometheus'): string {
  const open = form === 'openmetrics'
  let text = ''
  for (const family of families) {
    if (family.series().length > 0) text += familyText(family, open)
  }
  return open ? `${text}# EOF\n` : text
}

function familyText (family: AnyFamily, open: boolean): string {
  const { name, kind, help, labels, buckets = [] } = family.declaration
  // There the family of a counter goes by the name without "_total".
  const title = open && kind === 'counter' ? name.slice(0, -'_total'.length) : name
  let text = `# HELP ${title} ${open ? escapeOpen(help) : escapeHelp(help)}\n# TYPE ${title} ${kind}\n`
  if (open) text += unitLine(title)
  for (const { values, cell } of family.series()) {
    const pairs = labels.map((label, i) => `${label}="${escapeOpen(values[i] ?? '')}"`)
    if (cell instanceof HistogramCell) text += histogramText(name, pairs, cell, buckets, open)
    else text += `${name}${braces(pairs)} ${numberText(cell.value)}\n`
  }
  return text
}

/** A unit must be the end of the name. */
function unitLine (title: string): string {
  const unit = ['seconds', 'bytes', 'ratio'].find((word) => title.endsWith(`_${word}`))
  return unit === undefined ? '' : `# UNIT ${title} ${unit}\n`
}

function histogramText (name: string, pairs: readonly string[], cell: HistogramCell, bounds: readonly number[], open: boolean): string {
  let text = ''
  let below = 0
  bounds.forEach((bound, i) => {
    below += cell.counts[i] ?? 0
    // In OpenMetrics a bound has a fraction, so that there is one spelling of each.
    const le = open && Number.isInteger(bound) ? `${numberText(bound)}.0` : numberText(bound)
    text += `${name}_bucket${braces([...pairs, `le="${le}"`])} ${below}${open ? exemplarText(cell.exemplars?.[i]) : ''}\n`
  })
  return `${text}${name}_bucket${braces([...pairs, 'le="+Inf"'])} ${cell.count}${open ? exemplarText(cell.exemplars?.[bounds.length]) : ''}\n` +
    `${name}_sum${braces(pairs)} ${numberText(cell.sum)}\n${name}_count${braces(pairs)} ${cell.count}\n`
}

function exemplarText (exemplar: Exemplar | undefined): string {
  return exemplar === undefined ? '' : ` # {trace_id="${exemplar.traceId}"} ${numberText(exemplar.value)} ${(exemplar.atMs / 1000).toFixed(3)}`
}

function braces (pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeHelp (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/** OpenMetrics escapes quotes in help texts, too. */
function escapeOpen (value: string): string {
  return escapeHelp(value).replaceAll('"', '\\"')
}

function numberText (value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return Number.isNaN(value) ? 'NaN' : String(value)
}

/** What a request for figures gets. */
export function exposed (metrics: { render (form: Form): string }, form: Form): { readonly type: string, readonly body: string } {
  return { type: contentTypes[form], body: metrics.render(form) }
}
