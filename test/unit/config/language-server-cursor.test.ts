import assert from 'node:assert/strict'
import test from 'node:test'
import { cursorAt } from '../../../config/language-server/cursor.ts'
import { readTree } from '../../../config/language-server/tree.ts'
import { textOf } from '../../../config/language-server/word.ts'

/** The cursor at the `|`, in one line: path, what is expected, node, number of the value, the word it stands in and what would be replaced. */
function at (marked: string): string {
  const offset = marked.indexOf('|')
  const text = marked.slice(0, offset) + marked.slice(offset + 1)
  const { path, at: place, node, index, prop, word, span } = cursorAt(readTree(text), offset)
  const blocks = path.map(({ name, args }) => [name, ...args].map(textOf).join(':'))
  const own = node === undefined ? '-' : textOf(node.name)
  const value = place === 'value' ? ` ${index}` : prop === undefined ? '' : ` ${textOf(prop.name)}`
  const replaced = text.slice(span.from, span.to)
  return `${blocks.join(' > ')}${blocks.length > 0 ? ' > ' : ''}${place} ${own}${value} ${word === undefined ? 'new' : `in <${replaced}>`}`
}

const cases: readonly (readonly [string, string])[] = [
  // An empty text, and names at the top.
  ['|', 'name - new'],
  ['list|', 'name list in <list>'],
  ['|listeners', 'name listeners in <listeners>'],
  ['listeners|', 'name listeners in <listeners>'],
  ['a 1\n|', 'name - new'],
  ['a 1\n|b 2', 'name b in <b>'],
  ['a 1; |', 'name - new'],
  ['a 1;|', 'name - new'],
  // In blocks.
  ['a { | }', 'a > name - new'],
  ['a {|}', 'a > name - new'],
  ['a { } |', 'name - new'],
  ['a { }|', 'name - new'],
  ['a { b "x" { c 1 } | }', 'a > name - new'],
  ['a { b "x" { c| 1 } }', 'a > b:x > name c in <c>'],
  ['a {\n  b {\n  }\n  |\n}\n', 'a > name - new'],
  ['a | {\n}', 'value a 0 new'],
  ['a "x"| {\n}', 'value a 0 in <"x">'],
  // Values.
  ['a |', 'value a 0 new'],
  ['a |\nb', 'value a 0 new'],
  ['a  |  \nb', 'value a 0 new'],
  ['a 1 |', 'value a 1 new'],
  ['a 1|', 'value a 0 in <1>'],
  ['a #t|', 'value a 0 in <#t>'],
  ['a one tw|o three', 'value a 1 in <two>'],
  ['a "one" | "three"', 'value a 1 new'],
  // Strings, open and closed.
  ['a "|"', 'value a 0 in <"">'],
  ['a "|', 'value a 0 in <">'],
  ['a "|\nb 1\n', 'value a 0 in <">'],
  ['a "on|e', 'value a 0 in <"one>'],
  ['a { b "on| }', 'a > value b 0 in <"on>'],
  ['a "one { two|"', 'value a 0 in <"one { two">'],
  ['a "x\\"|y"', 'value a 0 in <"x\\"y">'],
  ['a "on|e {\n b 1\n}', 'value a 0 in <"one>'],
  ['a "one {\n b |\n}', 'a:one > value b 0 new'],
  ['a #"x "|" y"#', 'value a 0 in <#"x "" y"#>'],
  ['a """\n  x { |\n  """', 'value a 0 in <"""\n  x { \n  """>'],
  ['a #"one|', 'value a 0 in <#"one>'],
  // Comments.
  ['// |', 'comment - new'],
  ['a 1 // |\nb', 'comment - new'],
  ['a 1 // x\n|b', 'name b in <b>'],
  ['/* a { | */ b', 'comment - new'],
  ['/* a /* b */ | */', 'comment - new'],
  ['a { // { \n | \n}', 'a > name - new'],
  ['a "http://|x"', 'value a 0 in <"http://x">'],
  ['a /-"x" |', 'value a 0 new'],
  ['/- a { | }', 'a > name - new'],
  // Properties.
  ['a b=|', 'property a b new'],
  ['a b="|"', 'property a b in <"">'],
  ['a b|="x"', 'property a b in <b>'],
  ['a "x" b="y" c=|', 'property a c new'],
  ['a b="y" |', 'value a 0 new'],
  ['a b = |', 'property a b new'],
  // A line that goes on, and annotations.
  ['a "x" \\\n  |', 'value a 1 new'],
  ['a "x" \\ // why\n  "|"', 'value a 1 in <"">'],
  ['a (u8)|5', 'value a 0 in <5>'],
  // Blocks that are not closed yet: what stands further left is outside.
  ['a {\n    b "x" {\n        c |', 'a > b:x > value c 0 new'],
  ['a {\n    b "x" {\n        |\n\nd {\n    e 1\n}\n', 'a > b:x > name - new'],
  ['a {\n    b "x" {\n        c 1\n}\nd {\n    |\n}\n', 'd > name - new'],
  ['a {\n    b "x" {\n        c 1\n\nd {\n    e |\n}\n', 'd > value e 0 new'],
  ['a {\n    b "x" {\n    |b "y" {\n    }\n}\n', 'a > name b in <b>'],
  ['a {\n    b {\n        c 1\n    }\n    }\n|\n', 'name - new'],
  ['a {\n}\n}\nb {\n    c |\n}\n', 'b > value c 0 new'],
  ['} | a', 'name - new'],
  ['{ { | } }', ' >  > name - new'],
  // Line ends and wide characters of all kinds.
  ['a {\r\n  b "x"\r\n  |\r\n}', 'a > name - new'],
  ['\uFEFFa { b "\u{1F600}" | }', 'a > value b 1 new'],
  ['= | "x"', 'name - new'],
]

for (const [marked, expected] of cases) {
  test(`cursor: ${JSON.stringify(marked)}`, () => assert.equal(at(marked), expected))
}

test('every prefix of a text has a tree, in which every place has a cursor', () => {
  const text = 'a "x" {\n  b /* { */ c="d" {\n    e #"f"# """\n  g\n  """ 1.5 #true // h {\n  }\n  /- i { j (k)2 }\n  l \\\n m\n}; n #-inf\n'
  for (let end = 0; end <= text.length; end++) {
    const tree = readTree(text.slice(0, end))
    for (let offset = 0; offset <= end; offset++) {
      const { span } = cursorAt(tree, offset)
      assert.ok(span.from >= 0 && span.from <= offset && offset <= span.to && span.to <= end, `${end}/${offset}: ${span.from}-${span.to}`)
    }
  }
})
