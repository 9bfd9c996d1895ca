/** Promises of the formatter, on real files: nothing is lost, nothing changes its meaning, and a second time changes nothing. */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { formatText } from '../../config/format/index.ts'
import { commentsOf } from '../../config/format/syntax.ts'
import { readSyntax } from '../../config/format/read.ts'
import type { KdlNode } from '../../config/kdl/nodes.ts'
import { parseKdl } from '../../config/kdl/parse.ts'
import { checkText, olderBlocks, table } from '../../config/sentinel/index.ts'
import { corpusFiles, corpusIsThere, wrapped } from '../support/config-corpus.ts'

const language = { fields: table, older: olderBlocks }

/** Complete files, and pieces put where they belong: all that can be read. */
function texts (): { name: string, text: string }[] {
  return corpusFiles().flatMap(file => {
    const inPlace = file.kind === 'fragment' ? wrapped(file) : undefined
    return [{ name: file.name, text: file.text }, ...inPlace === undefined ? [] : [{ name: `${file.name} in its place`, text: inPlace }]]
  }).filter(({ name, text }) => parseKdl(text, name).problems.length === 0)
}

function formatted (name: string, text: string, keepSpelling = false): string {
  const result = formatText(text, name, keepSpelling ? undefined : language)
  assert.ok(result.text !== undefined, `${name} is not formatted`)
  return result.text
}

/** Everything but places. */
function plain (nodes: readonly KdlNode[] | undefined): unknown {
  return nodes?.map(({ name, tag, args, props, children }) => ({
    name, tag, args: args.map(arg => [arg.value, arg.tag]), props: props.map(prop => [prop.name, prop.value, prop.tag]), children: plain(children),
  }))
}

function errorsOf (text: string): string[] {
  return checkText(text, 'sentinel.kdl', { env: {}, textOnly: true }).problems.filter(({ severity }) => severity === 'error').map(({ code }) => code).toSorted()
}

describe('formatting the corpus of configurations', { skip: corpusIsThere ? false : 'it is not beside the repository' }, () => {
  const files = texts()

  test('there is something to format', () => {
    assert.ok(files.length > 300, `${files.length} files`)
  })

  test('without new spellings, the same nodes, values and comments are in it', () => {
    for (const { name, text } of files) {
      const out = formatted(name, text, true)
      assert.deepEqual(plain(parseKdl(out, name).nodes), plain(parseKdl(text, name).nodes), name)
    }
  })

  test('every comment is kept', () => {
    for (const { name, text } of files) {
      assert.deepEqual(commentsOf(readSyntax(formatted(name, text))).toSorted(), commentsOf(readSyntax(text.replaceAll('\r\n', '\n'))).toSorted(), name)
    }
  })

  test('a second time changes nothing', () => {
    for (const { name, text } of files) {
      for (const keep of [false, true]) {
        const once = formatted(name, text, keep)
        assert.equal(formatted(name, once, keep), once, name)
      }
    }
  })

  test('the same errors are found before and after', () => {
    for (const { name, text } of files) assert.deepEqual(errorsOf(formatted(name, text)), errorsOf(text), name)
  })

  test('no older spelling is left, but where a value comes from the environment, or something would be lost or mean something else', () => {
    const kept = ['docs-examples-inference-routing-09.kdl', 'srcdoc-crates-sim-docs-matching-06.kdl']
    for (const { name, text } of files) {
      if (kept.some(one => name.startsWith(one))) continue
      const out = formatted(name, text)
      const lines = out.split('\n')
      const left = checkText(out, name, { env: {}, textOnly: true }).problems
        .filter(({ code, position }) => code === 'CONFIG_OTHER_SPELLING' && !(lines[position.line - 1] ?? '').includes('${'))
      assert.deepEqual(left.map(({ message, position }) => `${position.line}: ${message}`), [], name)
    }
  })

  test('with comments, breaks and braces in places where nobody puts them, all of that holds as well', () => {
    const odd = ['/* c */', '// x\n', '/-', '/- ', ';', '\\\n', '\\ // y\n', ' ', '\n\n', '{}', '{ a 1 }', '/-{ b }', '(t)', '#"r"#', 'b=1', '"""\n  x\n  """', '\u2028', '\r\n', ' = ', '/* a /* b */ \n c */']
    const random = randomFrom(20_250_102)
    let tried = 0
    for (let turn = 0; turn < 12_000; turn++) {
      const lines = (files[random(files.length)]?.text ?? '').split('\n')
      const from = random(lines.length)
      let text = lines.slice(from, from + 1 + random(12)).join('\n')
      for (let more = random(3); more >= 0; more--) {
        const at = random(text.length + 1)
        text = text.slice(0, at) + (odd[random(odd.length)] ?? '') + text.slice(at)
      }
      if (parseKdl(text, 'odd').problems.length > 0) continue
      tried++
      const kept = formatted('odd', text, true)
      assert.deepEqual(plain(parseKdl(kept, 'odd').nodes), plain(parseKdl(text.replaceAll('\r\n', '\n'), 'odd').nodes), text)
      assert.deepEqual(commentsOf(readSyntax(kept)).toSorted(), commentsOf(readSyntax(text.replaceAll('\r\n', '\n'))).toSorted(), text)
      assert.equal(formatted('odd', kept, true), kept, text)
      const spelled = formatted('odd', text)
      assert.equal(formatted('odd', spelled), spelled, text)
    }
    assert.ok(tried > 500, `${tried} texts`)
  })
})

/** The same numbers in every run: a failure can be looked into. */
function randomFrom (seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 4) % below
  }
}
