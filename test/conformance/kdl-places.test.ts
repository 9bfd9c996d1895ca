/** The reader finds places by walking over the document beside its text; the library has its own way, which is slower. Both must say the same. */
import { strict as assert } from 'node:assert'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Document } from '@bgotink/kdl'
import { parse } from '@bgotink/kdl'
import { sourceRoot } from '../../config/generate.ts'
import { locatedNodes } from '../../config/kdl/locate.ts'
import { plainNodes } from '../../config/kdl/plain-nodes.ts'
import { corpusFiles } from '../support/config-corpus.ts'

const golden = join(sourceRoot(), 'test', 'golden')
const texts = [
  ...readdirSync(golden).filter(name => name.endsWith('.txt')).map(name => readFileSync(join(golden, name), 'utf8').split('----------\n')[0] ?? ''),
  ...corpusFiles().map(({ text }) => text),
  'a 1 2 x=3 "b" #true; c\td { e "é" /* 😀 */ #"f"# ; "g h" """\n  two\n  lines\n  """ i=1 }\n/- k { l 1 }\nm \\\n  "n" // o\np { /- q 1; r 2 }\n',
]

const variants: Readonly<Record<string, (text: string) => string>> = {
  'as they are': text => text,
  'with a byte order mark': text => `\uFEFF${text}`,
  'with line ends of Windows': text => text.replaceAll('\n', '\r\n'),
  'with characters of two units': text => `// 😀 é\n${text.replace(/"([^"\n]+)"/g, '"😀$1"')}`,
  'with tabs': text => text.replaceAll(' ', '\t '),
  'with comments inside of nodes': text => text.replaceAll(' {', ' /* { */ {').replaceAll(';', ' /- "left out" ;'),
}

describe('places of nodes and values', () => {
  for (const [name, change] of Object.entries(variants)) {
    test(`are those of the library: texts ${name}`, t => {
      let compared = 0
      for (const text of texts.map(change)) {
        const document = parsed(text)
        // Annotations are left to the library.
        if (document === undefined || text.includes('(u8)')) continue
        const found = locatedNodes(document, text, 'a.kdl')?.nodes
        assert.ok(found !== undefined, `the walk gave up on:\n${text.slice(0, 500)}`)
        assert.deepEqual(found, plainNodes(document.nodes, 'a.kdl'))
        compared++
      }
      t.diagnostic(`${compared} texts`)
      // Without the corpus beside the repository there are those of the goldens only.
      assert.ok(compared >= 40)
    })
  }

  test('a document with type annotations is left to the library', () => {
    const text = 'a (u8)5\n'
    assert.equal(locatedNodes(parse(text), text, 'a.kdl'), undefined)
  })
})

function parsed (text: string): Document | undefined {
  try {
    return parse(text, { storeLocations: true })
  } catch {
    return undefined
  }
}
