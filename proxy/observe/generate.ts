import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { metricTable } from './metrics-table.ts'

/** METRICS.md from the table of metrics. `--check` writes nothing and fails when the page is not what it would write. */
export function metricsPage (): string {
  const rows = Object.values(metricTable()).map(({ declaration: { name, kind, labels, help, buckets } }) => {
    const bounds = buckets === undefined ? '' : ` Buckets: ${buckets.join(', ')}.`
    return `| \`${name}\` | ${kind} | ${labels.length === 0 ? '' : labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')}${bounds} |`
  })
  return [
    '# Metrics',
    '',
    'Generated from `metrics-table.ts` by `node dist/proxy/observe/generate.js`; do not edit.',
    'Durations are seconds, sizes bytes. Served at `GET /metrics` of the address in `observability { metrics { address } }`.',
    'Whoever names `application/openmetrics-text` in `Accept` gets OpenMetrics 1.0, where distributions of sampled requests have the id of a trace as an exemplar;',
    'whoever takes gzip gets it compressed. `observability { metrics { otlp { … } } }` brings the same to a collector, without `_total` at the end of names.',
    'A metric keeps at most 2000 series; what comes later is counted under `(other)` and in `sentinel_metrics_overflow_total`.',
    '',
    '| Name | Type | Labels | Meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

function main (check: boolean): void {
  // The page lives beside the source, this program in dist/.
  const page = fileURLToPath(new URL('../../../proxy/observe/METRICS.md', import.meta.url))
  if (!check) return writeFileSync(page, metricsPage())
  let current = ''
  try {
    current = readFileSync(page, 'utf8')
  } catch { /* a missing page is an outdated one */ }
  if (current === metricsPage()) return
  process.stderr.write('proxy/observe/METRICS.md is out of date: run `node dist/proxy/observe/generate.js`\n')
  process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'))
