import { strict as assert } from 'node:assert'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { jsonOf, positionIn } from '../../../config/kdl/json.ts'
import { listed, nearest } from '../../../config/kdl/nearest.ts'
import type { KdlNode } from '../../../config/kdl/nodes.ts'
import { maxTextLength, parseKdl } from '../../../config/kdl/parse.ts'
import type { Problem } from '../../../config/kdl/position.ts'
import { inOrder } from '../../../config/kdl/position.ts'
import { printProblems } from '../../../config/kdl/print.ts'
import { substitute } from '../../../config/kdl/substitute.ts'

function nodesOf (text: string): KdlNode[] {
  const { nodes, problems } = parseKdl(text, 'a.kdl')
  assert.deepEqual(problems, [])
  return nodes
}

function errorsOf (text: string): string[] {
  return parseKdl(text, 'a.kdl').problems.map(({ position, message }) => `${position.line}:${position.column} ${message}`)
}

describe('reading KDL', () => {
  test('names, arguments, properties and children carry their place', () => {
    const [node] = nodesOf('one\n  two "é" 5 key="v" { three #null }'.replace('one\n', ''))
    assert.deepEqual(node?.at, { file: 'a.kdl', line: 1, column: 3, length: 3 })
    assert.deepEqual(node?.args.map(({ value, at }) => [value, at.column, at.length]), [['é', 7, 3], [5, 11, 1]])
    assert.deepEqual(node?.props.map(({ name, value, nameAt, at }) => [name, value, nameAt.column, at.column]), [['key', 'v', 13, 17]])
    assert.deepEqual(node?.children?.map(child => [child.name, child.args[0]?.value]), [['three', null]])
  })

  test('columns count characters, not bytes or halves of one', () => {
    assert.equal(nodesOf('a "😀" 1')[0]?.args[1]?.at.column, 7)
  })

  test('a property given twice is kept twice, so that somebody can say so', () => {
    assert.equal(nodesOf('a x=1 x=2')[0]?.props.length, 2)
  })

  test('a block that is there but empty differs from none', () => {
    assert.deepEqual(nodesOf('a {}\nb').map(node => node.children), [[], undefined])
  })

  test('a byte order mark does not count as a column', () => {
    assert.equal(nodesOf('\uFEFFa 1')[0]?.at.column, 1)
    assert.deepEqual(errorsOf('\uFEFFa true'), ["1:3 'true' needs a # in front"])
  })

  test('a string that is never closed is reported where it begins', () => {
    assert.deepEqual(errorsOf('a 1\nb "x\nc 2\n'), ['2:3 this string is never closed'])
  })

  test('a block that is never closed is reported where it begins, by its indentation', () => {
    assert.deepEqual(errorsOf('a {\n  b {\n    c 1\n}\nd {\n}\n'), ['2:5 this block is never closed'])
  })

  test('braces in strings, raw strings and comments do not count', () => {
    assert.deepEqual(errorsOf('a "{" #"{"# /* { */ { b """\n  {\n  """ } // {\n'), [])
    assert.deepEqual(errorsOf('a "}" {\n  b true\n}'), ["2:5 'true' needs a # in front"])
  })

  test('every mistake of a file is reported in one run, one for each line', () => {
    assert.deepEqual(errorsOf('a true\nb ["x"]\nc 10MB\nd "x",\ne r"y"\n').map(error => error.slice(0, 1)), ['1', '2', '3', '4', '5'])
  })

  test('what was meant is understood in spite of a mistake on the line', () => {
    const { nodes } = parseKdl('a true\nb ["x" "y"]\nc 10MB\nd r#"\\d"#\ne "\\.x"\n', 'a.kdl')
    assert.deepEqual(nodes.map(node => node.args.map(arg => arg.value)), [[true], ['x', 'y'], ['10MB'], ['\\d'], ['\\.x']])
  })

  test('nothing is understood of a text whose structure is broken', () => {
    assert.deepEqual(parseKdl('a {\n b 1\n', 'a.kdl').nodes, [])
    assert.deepEqual(parseKdl('a 1\n}\nb 2\n', 'a.kdl').nodes, [])
  })

  test('a text that is too large or nested too deeply is refused before it is parsed', () => {
    assert.equal(parseKdl('a'.repeat(maxTextLength + 1), 'a.kdl').problems[0]?.code, 'CONFIG_UNREADABLE')
    for (const depth of [65, 200_000]) {
      const { problems } = parseKdl('a {'.repeat(depth), 'a.kdl')
      assert.deepEqual(problems.map(problem => problem.code), ['CONFIG_NESTING'])
    }
    assert.deepEqual(errorsOf('a {\n'.repeat(64) + '}\n'.repeat(64)), [])
  })

  test('comments nested a hundred thousand deep do no harm', () => {
    assert.deepEqual(errorsOf('/*'.repeat(100_000) + '*/'.repeat(100_000) + '\na 1'), [])
    assert.equal(errorsOf('/*'.repeat(100_000)).length, 1)
  })

  test('a hostile text with a mistake on each of many lines takes less than a second', () => {
    const started = process.cpuUsage()
    const { problems } = parseKdl('a true [\n'.repeat(20_000), 'a.kdl')
    assert.ok(problems.length > 0 && problems.length <= 51)
    assert.ok(process.cpuUsage(started).user < 2_000_000, 'too slow')
  })
})

describe('the environment in strings', () => {
  function replaced (text: string, env: Record<string, string>, file = '/etc/a.kdl'): { values: unknown[], problems: Problem[], secrets: string[] } {
    const problems: Problem[] = []
    const secrets = new Set<string>()
    const nodes = substitute(parseKdl(text, file).nodes, { env, problems, secrets })
    return { values: nodes.flatMap(node => [...node.args, ...node.props].map(entry => entry.value)), problems, secrets: [...secrets] }
  }

  test('a name, a default and an empty value are replaced, in arguments and properties, anywhere in the text', () => {
    const { values, problems } = replaced('a "x${A}y${A}" "${B:-8080}" "${C:-}" "${E:-d}" p="${A}"', { A: '1', E: '' })
    assert.deepEqual(values, ['x1y1', '8080', '', 'd', '1'])
    assert.deepEqual(problems, [])
  })

  test('two dollars stand for one', () => assert.deepEqual(replaced('a "$${A}" "$5" "a$"', {}).values, ['${A}', '$5', 'a$']))

  test('what comes from the environment is not read again', () => assert.deepEqual(replaced('a "${A}"', { A: '${B}' }).values, ['${B}']))

  test('numbers, names of nodes and names of properties stay', () => {
    assert.deepEqual(replaced('"${A}" 5 "${A}"=1', { A: 'x' }).values, [5, 1])
  })

  test('a file gives its content without the last line end', t => {
    const folder = mkdtempSync(join(tmpdir(), 'sentinel-kdl-'))
    t.after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'secret'), 'hunter2\n')
    const { values, secrets } = replaced(`a "\${file:${join(folder, 'secret')}}" "\${file:secret}"`, {}, join(folder, 'a.kdl'))
    assert.deepEqual(values, ['hunter2', 'hunter2'])
    assert.deepEqual(secrets, ['hunter2'])
  })

  test('what is missing, malformed or a folder is a problem with a place', () => {
    const { problems } = replaced('a "${NO}"\nb "${9}"\nc "${file:/}"\nd "${A"', { A: '' })
    assert.deepEqual(problems.map(problem => [problem.code, problem.position.line]), [1, 2, 3, 4].map(line => ['CONFIG_ENVIRONMENT', line]))
  })
})

describe('free blocks as JSON', () => {
  const [block] = nodesOf(`config {
    one 1
    several "a" "b"
    nothing
    inner { deep #true; list { x 1 }; list { x 2 } }
    rule "r1" { pattern "p" }
    rule "r2" { pattern "q" }
    with-prop a=1 b="x"
    again 1
    again 2 3
    infinite #inf
    __proto__ { polluted 1 }
}`)
  assert.ok(block !== undefined)
  const json = jsonOf(block.children ?? [])

  test('the rule gives scalars, arrays, objects, true and lists of repeated nodes', () => {
    assert.deepEqual(JSON.parse(JSON.stringify(json)), JSON.parse(`{
      "one": 1, "several": ["a", "b"], "nothing": true, "inner": { "deep": true, "list": [{ "x": 1 }, { "x": 2 }] },
      "rule": [{ "-": "r1", "pattern": "p" }, { "-": "r2", "pattern": "q" }], "with-prop": { "a": 1, "b": "x" }, "again": [1, [2, 3]],
      "infinite": "Infinity", "__proto__": { "polluted": 1 }
    }`))
  })

  test('a member called __proto__ is a member like others', () => {
    assert.equal(Object.getPrototypeOf(json), Object.prototype)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  test('every path leads back to its line', () => {
    const line = (...path: (string | number)[]): number => positionIn(block, path).line
    assert.equal(line('one'), 2)
    assert.deepEqual([positionIn(block, ['several', '1']).line, positionIn(block, ['several', 1]).column], [3, 17])
    assert.equal(line('inner', 'list', '1', 'x'), 5)
    assert.equal(line('rule', '1', 'pattern'), 7)
    assert.equal(line('rule', '0', '-'), 6)
    assert.equal(line('with-prop', 'b'), 8)
    assert.equal(line('again', '1'), 10)
  })

  test('a path that leads nowhere gives the nearest place around it', () => {
    assert.equal(positionIn(block, []).line, 1)
    assert.equal(positionIn(block, ['inner', 'no', 'more']).line, 5)
    assert.equal(positionIn(block, ['several', '9']).line, 3)
    assert.equal(positionIn(block, ['no']).line, 1)
  })
})

describe('suggestions', () => {
  test('slips, swapped separators and parts of names are found', () => {
    assert.equal(nearest('adress', ['address', 'protocol']), 'address')
    assert.equal(nearest('max_body_size', ['max-body-size']), 'max-body-size')
    assert.equal(nearest('timeout', ['request-timeout', 'address']), 'request-timeout')
    assert.equal(nearest('hsot', ['host', 'port']), 'host')
    assert.equal(nearest('chekc', ['check', 'fmt']), 'check')
    assert.equal(nearest('zzz', ['address']), undefined)
    assert.equal(nearest('x', []), undefined)
  })

  test('a very long word costs nothing', () => assert.equal(nearest('x'.repeat(1_000_000), ['address']), undefined))

  test('a long list is cut', () => assert.equal(listed(['a', 'b', 'c'], 2), 'a, b and 1 more'))
})

describe('printing problems', () => {
  const problem = (line: number, column: number, length = 3): Problem =>
    ({ severity: 'error', code: 'CONFIG_TYPE', message: 'm', hint: 'h', position: { file: 'f', line, column, length } })

  test('the caret stands under the place, whatever the tabs', () => {
    assert.equal(printProblems([problem(1, 3)], new Map([['f', '\t\tabc']])), 'f:1:3: CONFIG_TYPE: m\n    1 | \t\tabc\n      | \t\t^^^ h\n')
  })

  test('a long line is cut around the place', () => {
    const [, source = '', caret = ''] = printProblems([problem(1, 5001)], new Map([['f', `${'x'.repeat(5000)}abc${'y'.repeat(5000)}`]])).split('\n')
    assert.ok(source.length < 160)
    assert.equal(source.slice(caret.indexOf('^'), caret.indexOf('^') + 3), 'abc')
  })

  test('a line of a megabyte is taken apart once, however many problems are in it', { timeout: 20_000 }, () => {
    const problems = Array.from({ length: 5000 }, (_, index) => problem(1, 500_000 + 7 * index))
    for (const filling of ['x', '\u{1f600}']) {
      const printed = printProblems(problems, new Map([['f', `${filling.repeat(499_999)}abc${'y'.repeat(500_000)}`]])).split('\n')
      assert.ok(printed[1]?.startsWith(`    1 | \u2026${filling.repeat(59)}abcyyy`), printed[1])
      assert.equal(printed.filter(line => line.includes('^^^')).length, 5000)
    }
  })

  test('a file cannot send control sequences to the terminal', () => {
    const printed = printProblems([{ ...problem(1, 1), message: 'a\x1b[2Jb' }], new Map([['f', '\x1b]0;x\x07 \u202e']]), {})
    assert.ok(!/[\x1b\x07\u202e]/.test(printed))
  })

  test('colour is only there when asked for', () => {
    const sources = new Map([['f', 'abc']])
    assert.ok(printProblems([problem(1, 1)], sources, { colour: true }).includes('\x1b[31m'))
    assert.ok(!printProblems([problem(1, 1)], sources).includes('\x1b'))
  })

  test('a place outside of the text and a file without a text print without a source line', () => {
    assert.equal(printProblems([problem(9, 1)], new Map([['f', 'a']])), 'f:9:1: CONFIG_TYPE: m\n      h\n')
    assert.equal(printProblems([problem(0, 0)], new Map()), 'f: CONFIG_TYPE: m\n      h\n')
  })

  test('problems are sorted by file, line, column and weight', () => {
    const note: Problem = { ...problem(1, 1), severity: 'note' }
    const sorted = inOrder([problem(2, 1), note, problem(1, 5), problem(1, 1)])
    assert.deepEqual(sorted.map(({ severity, position }) => [severity, position.line, position.column]),
      [['error', 1, 1], ['note', 1, 1], ['error', 1, 5], ['error', 2, 1]])
  })
})
