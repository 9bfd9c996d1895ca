import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { Language } from '../../../config/format/index.ts'
import { formatText, olderBlocks, table } from '../../../config/format/index.ts'
import {
  block, blocks, bool, duration, integer, json, list, map, named, namedVariants, notBuilt, optional, optionalBlock, setting, size, text, words,
} from '../../../config/schema/index.ts'
import { diffText } from '../../../proxy/cli/fmt-diff.ts'
import { processorMs } from '../../support/processor-time.ts'

function formatted (source: string, language?: Language): string {
  const result = formatText(source, 'test.kdl', language)
  assert.ok(result.text !== undefined, JSON.stringify(result.problems))
  return result.text
}

/** Both, and that the result stays as it is. */
function becomes (source: string, wanted: string, language?: Language): void {
  assert.equal(formatted(source, language), wanted)
  assert.equal(formatted(wanted, language), wanted, 'a second time')
}

const policy = words(['round-robin', 'least-conn'], { also: { 'least-conn': ['lc'] }, notBuilt: { maglev: 'round-robin' } })

const fields = {
  server: block({ keepalive: setting(duration, '1s', 'x', { aliases: ['keepalive-secs'], bareUnitMs: 1000 }) }, 'x', { aliases: ['srv'] }),
  policy: setting(policy, 'round-robin', 'x', { aliases: ['load-balancing'] }),
  policies: list(policy, [], 'x', { commas: true }),
  timeout: setting(duration, '1s', 'x', { aliases: ['timeout-ms', 'time-limit'] }),
  steps: list(duration, [], 'x', { aliases: ['steps-secs'] }),
  body: setting(size, '1MiB', 'x', { aliases: ['body-bytes'] }),
  pool: notBuilt(optional(integer(1, 9), 'x', { aliases: ['pool-size'] })),
  config: json('x', { aliases: ['settings'] }),
  env: map(policy, 'x', { aliases: ['environment'] }),
  routes: named('route', {
    upstream: optional(text, 'x', { aliases: ['backend'] }),
    matches: optionalBlock({ path: list(text, [], 'x', { aliases: ['path-is'] }), host: list(text, [], 'x') }, 'x'),
    lifetime: setting(duration, '1s', 'x', { aliases: ['lifetime-secs'] }),
    secure: setting(bool, true, 'x'),
  }, 'x', {
    args: ['lifetime'],
    older: {
      path: { doc: 'x', into: node => [{ name: 'matches', at: node.at, args: [], props: [], children: [node] }] },
      host: { doc: 'x', into: node => [{ name: 'matches', at: node.at, args: [], props: [], children: [node] }] },
      lossy: { doc: 'x', into: node => [{ name: 'upstream', at: node.at, args: node.args, props: [], children: undefined }] },
    },
  }),
  targets: blocks({ address: setting(text, 'x', 'x', { aliases: ['addr'] }) }, 'x', { name: 'target', aliases: ['endpoint'], within: ['targets'], args: ['address'] }),
  spaces: named('space', { timeout: setting(duration, '1s', 'x', { aliases: ['timeout-ms'] }) }, 'x', { direct: true }),
  filters: namedVariants('filter', {
    tag: 'type', common: { timeout: setting(duration, '1s', 'x', { aliases: ['timeout-ms'] }) },
    of: { 'rate-limit': { policy: setting(policy, 'round-robin', 'x', { aliases: ['algorithm'] }) } }, also: { ratelimit: 'rate-limit' },
  }, 'x'),
}
const language: Language = { fields }

describe('layout', () => {
  test('four spaces, one node on a line, single spaces, at most one empty line', () => {
    becomes('\n\n\na   1\t2    b = 3\n\n\n\n  c {\n\n\n d  \n\n }\n\n', 'a 1 2 b=3\n\nc {\n    d\n}\n')
    becomes('a 1; b 2;', 'a 1\nb 2\n')
    becomes('', '')
    becomes('\uFEFFa 1\r\nb {\r\n c\r\n}\r\n', 'a 1\nb {\n    c\n}\n')
  })

  test('a short block that was written on one line stays there', () => {
    becomes('a {b 1;c {d   2}}', 'a { b 1; c { d 2 } }\n')
    becomes('a { }\nb {\n}', 'a {}\nb {}\n')
    becomes(`a { b "${'x'.repeat(90)}" }`, `a { b "${'x'.repeat(90)}" }\n`)
    becomes(`a { b "${'x'.repeat(91)}" }`, `a {\n    b "${'x'.repeat(91)}"\n}\n`)
    becomes('a { b 1; /* why */ c 2 }', 'a {\n    b 1\n    /* why */\n    c 2\n}\n')
  })

  test('values stay as they were written', () => {
    becomes(String.raw`a 0x10 1_000 1.50 "\u{41}\t" #"raw "text""# ##"""` + '\n   x  \n   "\n   """## (u8)7 "${NAME}" #true bare "quoted"',
      String.raw`a 0x10 1_000 1.50 "\u{41}\t" #"raw "text""# ##"""` + '\n   x  \n   "\n   """## (u8)7 "${NAME}" #true bare "quoted"\n')
    becomes('"a node" ("a tag")1 "a name"=2 b=(t)3', '"a node" ("a tag")1 "a name"=2 b=(t)3\n')
  })

  test('a node that goes on in the next line still does', () => {
    becomes('a 1 \\\n  2 \\ // why\n 3', 'a 1 \\\n    2 \\ // why\n    3\n')
    becomes('a 1 \\\n  {\n b\n}', 'a 1 {\n    b\n}\n')
  })
})

describe('comments', () => {
  test('stay before their node, behind it, at the end of a block and of the file', () => {
    becomes('// head\n\n  // of a\n/* more */ a { // opens\n// of b\n b // behind\n\n// end\n } // closes\n// last',
      '// head\n\n// of a\n/* more */\na { // opens\n    // of b\n    b // behind\n\n    // end\n} // closes\n// last\n')
    becomes('a {\n // only\n}', 'a {\n    // only\n}\n')
    becomes('// alone', '// alone\n')
  })

  test('stay between values, and where nobody writes them', () => {
    becomes('a /* one */ 1 /* two */ b /* three */ = /* four */ 2', 'a /* one */ 1 /* two */ /* three */ /* four */ b=2\n')
    becomes('( /* tag */ t ) a (/* x */u8) 1', '/* tag */\n(t)a /* x */ (u8)1\n')
    becomes('a; /* one */ // two', 'a /* one */ // two\n')
    becomes('a \\ // one\n // two', '// two\na // one\n')
    becomes('a /* outer /* inner */ outer */ 1', 'a /* outer /* inner */ outer */ 1\n')
  })

  test('what is switched off stays switched off, in the layout of its place', () => {
    becomes('a {\n/- b {\n c   1 // why\n}\n/-\nd\n }', 'a {\n    /-b {\n        c 1 // why\n    }\n    /-d\n}\n')
    becomes('a /- 1 2 /-b=3 /- { c } { d } /-{ e }', 'a /-1 2 /-b=3 /-{ c } { d } /-{ e }\n')
  })
})

describe('spelling', () => {
  test('names, and units that were part of them', () => {
    becomes('srv {\n keepalive 10\n}\nload-balancing "lc"\ntime-limit "5s"', 'server {\n    keepalive "10s"\n}\npolicy "least-conn"\ntimeout "5s"\n', language)
    becomes('timeout-ms 250 // why', 'timeout "250ms" // why\n', language)
    becomes('timeout-ms 60000', 'timeout "1m"\n', language)
    becomes('steps-secs 1 2 90', 'steps "1s" "2s" "90s"\n', language)
    becomes('body-bytes 1048576', 'body "1MiB"\n', language)
    becomes('body-bytes 1000', 'body 1000\n', language)
    becomes('pool-size 4', 'pool 4\n', language)
  })

  test('a value that is no plain number keeps its name', () => {
    for (const kept of ['timeout-ms "${T}"\n', 'timeout-ms "250"\n', 'timeout-ms 1.5\n', 'timeout-ms -1\n', 'steps-secs 1 "${T}"\n', 'timeout-ms (u8)5\n']) becomes(kept, kept, language)
  })

  test('words, also in lists and texts with commas, bare ones bare', () => {
    becomes('policy ROUND_ROBIN', 'policy round-robin\n', language)
    becomes('policies "round_robin, lc" "MAGLEV" "${P}" "unknown"', 'policies "round-robin, least-conn" "maglev" "${P}" "unknown"\n', language)
    becomes('environment A="LC" {\n    settings "round_robin"\n}', 'env A="least-conn" {\n    settings "round-robin"\n}\n', language)
  })

  test('blocks of somebody else are not looked into', () => {
    becomes('settings { timeout-ms 5; policy "lc" }', 'config { timeout-ms 5; policy "lc" }\n', language)
    becomes('unknown { timeout-ms 5 }', 'unknown { timeout-ms 5 }\n', language)
  })

  test('things are gathered in the block of their kind', () => {
    becomes('// about the file\n\n// a\nroute "a" {\n    backend "x"\n}\n\n// b\nroute "b"\ntimeout-ms 1\nroute "c"',
      '// about the file\n\nroutes {\n    // a\n    route "a" {\n        upstream "x"\n    }\n\n    // b\n    route "b"\n}\ntimeout "1ms"\nroutes {\n    route "c"\n}\n', language)
  })

  test('things that stand on their own come out of such a block', () => {
    becomes('timeout "1s"\n\n// all\nspaces { // open\n // a\n space "a" { timeout-ms 5 }\n\n space "b"\n}',
      'timeout "1s"\n\n// all\n// open\n// a\nspace "a" { timeout "5ms" }\n\nspace "b"\n', language)
  })

  test('values right after a name are settings too, and properties', () => {
    becomes('routes { route "a" lifetime-secs=5 backend="x" }', 'routes { route "a" lifetime="5s" upstream="x" }\n', language)
    becomes('targets { endpoint "a:1"; endpoint addr="b:1" }', 'targets { target "a:1"; target address="b:1" }\n', language)
  })

  test('the settings of a variant, by its word in any spelling', () => {
    becomes('filters { filter "a" { type "RATE_LIMIT"; algorithm "lc"; timeout-ms 5 } }', 'filters { filter "a" { type "rate-limit"; policy "least-conn"; timeout "5ms" } }\n', language)
    becomes('filters { filter "a" { type ratelimit } }', 'filters { filter "a" { type rate-limit } }\n', language)
  })

  test('what a variant that stands under its own name holds, as what stands in the filter that it is', () => {
    becomes('routes { route "a" { filters { parallel timeout-ms=5 { agents "waf" "bots" } // both\n filter "f" { type "parallel"; agents "waf" "bots"; timeout-ms 5 } } } }',
      'routes {\n    route "a" {\n        filters {\n            parallel timeout="5ms" { agent "waf" "bots" } // both\n' +
      '            filter "f" { type "parallel"; agent "waf" "bots"; timeout "5ms" }\n        }\n    }\n}\n', { fields: table, older: olderBlocks })
  })

  test('older forms, several of them in one block, with their comments', () => {
    becomes('routes {\n  route "a" {\n    // which\n    path-is "/x"\n    path "/a" // here\n    // there\n    host "h"\n    secure #true\n  }\n}',
      'routes {\n    route "a" {\n        // which\n        path-is "/x"\n        matches {\n            path "/a" // here\n            // there\n            host "h"\n        }\n        secure #true\n    }\n}\n', language)
    becomes('routes { route "a" path="/a" host="h" }', 'routes { route "a" { matches { path "/a"; host "h" } } }\n', language)
  })

  test('an older form stays where its content would be lost', () => {
    const kept = 'routes {\n    route "a" {\n        lossy "x" {\n            // why\n        }\n    }\n}\n'
    becomes(kept, kept, language)
    becomes('routes {\n route "a" {\n // why\n lossy "x" // here\n}\n}', 'routes {\n    route "a" {\n        // why\n        upstream "x" // here\n    }\n}\n', language)
  })
})

test('text that is not KDL gives its problems and no text', () => {
  const { text: out, problems } = formatText('a {\n b = 1\n', 'test.kdl')
  assert.equal(out, undefined)
  assert.ok(problems.length > 0)
})

test('10 000 lines take well under a second, and twenty times as deep or long texts no more than they should', () => {
  const many = Array.from({ length: 2000 }, (_, index) => `// ${index}\nroute "r${index}" {\n  path "/${index}"\n  lifetime-secs 5\n}`).join('\n')
  const ms = processorMs(() => {
    formatted(many, language)
    formatted(`a ${'/* x */ '.repeat(20_000)} 1`)
    formatted(`a { ${'b 1; '.repeat(20_000)} }`)
    formatted(`${'a {'.repeat(60)} ${'b "x"; '.repeat(2000)} ${'}'.repeat(60)}`)
    formatted('// x\n'.repeat(50_000))
  })
  // Quadratic work would take minutes here; the bound leaves room for a slow machine.
  assert.ok(ms < 15_000, `${ms} ms`)
})

describe('the diff', () => {
  test('shows what changes with two lines around it', () => {
    assert.equal(diffText('x', 'a\nb\nc\nd\ne\nf\n', 'a\nb\nc\nD\ne\nf\n'), '--- x\n+++ x (formatted)\n@@ -2,5 +2,5 @@\n b\n c\n-d\n+D\n e\n f\n')
    assert.equal(diffText('x', 'a\n', 'a\n'), '')
  })

  test('leads from one text to the other, however many changes there are', () => {
    const before = Array.from({ length: 300 }, (_, index) => `line ${index % 17}`)
    const after = before.flatMap((line, index) => index % 7 === 0 ? [] : index % 5 === 0 ? [line, 'new'] : [line])
    const shown = diffText('x', before.join('\n'), after.join('\n')).trimEnd().split('\n').slice(2).filter(line => !line.startsWith('@@'))
    const sideOf = (mark: string): number => shown.filter(line => line.startsWith(mark)).length
    assert.equal(after.length - before.length, sideOf('+') - sideOf('-'))
    assert.ok(sideOf('-') <= 60, 'it is a short way')
  })
})
