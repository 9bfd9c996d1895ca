import assert from 'node:assert/strict'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly exemplar: { readonly labels: Readonly<Record<string, string>>, readonly value: number, readonly at: number } | undefined
}

export interface MetricFamily {
  readonly type: string
  readonly help: string
  readonly unit: string | undefined
  readonly samples: readonly Sample[]
}

const name = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const labelSet = '\\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"(?:,(?!\\})|(?=\\})))*\\}'
const number = '[+-]?(?:\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|Inf|NaN)'
const sampleLine = new RegExp(`^(${name})(${labelSet})? (${number})(?: # (${labelSet}) (${number})(?: (\\d+(?:\\.\\d+)?))?)?$`)
const suffixes: Readonly<Record<string, readonly string[]>> = { counter: ['_total', '_created'], gauge: [''], histogram: ['_bucket', '_sum', '_count', '_created'] }

/** Reads OpenMetrics 1.0 as its text says, and asserts what a strict reader would refuse. */
export function readOpenMetrics (text: string): ReadonlyMap<string, MetricFamily> {
  assert.ok(text.endsWith('\n# EOF\n') || text === '# EOF\n', 'ends with # EOF')
  const families = new Map<string, MetricFamily & { readonly samples: Sample[] }>()
  const seen = new Set<string>()
  let title = ''
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const said = new RegExp(`^# (HELP|TYPE|UNIT) (${name}) (.*)$`).exec(line)
    if (said !== null) {
      const [, kind, of = '', value = ''] = said
      if (kind === 'HELP') {
        assert.ok(!families.has(of), `${of} is one family`)
        assert.ok(!/(?<!\\)(?:\\\\)*"/.test(value), `a quote in the help of ${of} is escaped`)
        families.set(title = of, { help: value, type: '', unit: undefined, samples: [] })
      } else {
        assert.equal(of, title, line)
        Object.assign(families.get(title)!, kind === 'TYPE' ? { type: value } : { unit: value })
        if (kind === 'UNIT') assert.ok(title.endsWith(`_${value}`), line)
      }
      continue
    }
    const [, of = '', labels = '{}', value = '', exemplarLabels, exemplarValue, at] = sampleLine.exec(line) ?? assert.fail(`no sample: ${line}`)
    const family = families.get(title)!
    assert.ok(suffixes[family.type]?.some((suffix) => of === title + suffix), `${of} in family ${title}, a ${family.type}`)
    assert.ok(!seen.has(of + labels), `${of}${labels} once`)
    seen.add(of + labels)
    assert.ok(exemplarLabels === undefined || of.endsWith('_bucket') || of.endsWith('_total'), `an exemplar of ${of}`)
    const exemplar = exemplarLabels === undefined ? undefined : { labels: readLabels(exemplarLabels), value: Number(exemplarValue), at: Number(at) }
    assert.ok(exemplarLabels === undefined || exemplarLabels.length <= 128 + 20, 'labels of an exemplar are short')
    family.samples.push({ name: of, labels: readLabels(labels), value: value === '+Inf' ? Infinity : Number(value), exemplar })
  }
  for (const [of, family] of families) if (family.type === 'histogram') checkBuckets(of, family)
  return families
}

function readLabels (text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', value = '']) => [label, value.replace(/\\(.)/g, (_, c: string) => c === 'n' ? '\n' : c)]))
}

/** Bounds ascend and have a fraction, counts do not fall, the last bucket is the count, and exemplars belong to their buckets. */
function checkBuckets (of: string, { samples }: MetricFamily): void {
  let bound = -Infinity
  let count = 0
  for (const { name: sample, labels: { le = '' }, value, exemplar } of samples) {
    if (sample === `${of}_bucket`) {
      const upper = le === '+Inf' ? Infinity : Number(le)
      assert.match(le, /^(?:\d+\.\d+|\+Inf|\d+e[+-]?\d+)$/, `le of ${of}`)
      assert.ok(upper > bound && value >= count, `${of} le=${le}`)
      assert.ok(exemplar === undefined || exemplar.value <= upper && exemplar.value > bound, `exemplar of ${of} le=${le}`)
      bound = upper
      count = value
    } else if (sample === `${of}_count`) {
      assert.equal(bound, Infinity, `${of} ends with +Inf`)
      assert.equal(value, count, `count of ${of}`)
      bound = -Infinity
      count = 0
    }
  }
}
