/** Two independent KDL parsers must read alike: ours (config/kdl, on @bgotink/kdl) and kdljs, which is used nowhere else. */
import { strict as assert } from 'node:assert'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse as parseOther } from 'kdljs'
import type { Node } from 'kdljs'
import { sourceRoot } from '../../config/generate.ts'
import type { KdlNode } from '../../config/kdl/nodes.ts'
import { parseKdl } from '../../config/kdl/parse.ts'

interface Plain { name: string, args: unknown[], props: Record<string, unknown>, children: Plain[] }

const valid = [
  '', '\n\n', 'a', 'a;b', 'a 1 2.5 -3 +4 1_000 0xff 0o17 0b101 1e3 1.5E-2', 'a "x" y=z "q r"=1', 'a #true #false #null', 'a #inf #-inf', 'a { b { c } }', 'a {}', 'a { b; c }',
  '"quoted name" 1', 'a "\\n\\t\\"\\\\\\u{e9}\\s"', 'a #"raw \\n"#', 'a ##"raw "# inside"##', 'a """\n  one\n    two\n  """', 'a #"""\n  raw \\n\n  """#', 'a "one \\\n   two"',
  '// comment\na 1 // more\n', '/* a /* nested */ b */ a 1', 'a /* in the middle */ 1', '/- gone 1\nstays 2', 'a /- 1 2', 'a /- x=1 y=2', 'a 1 /- { b }', 'a \\\n  1 \\ // more\n  2',
  '(type)a (u8)1 x=(u16)2', 'a x=1 x=2', '\uFEFFa 1', 'a\r\nb\r\n', 'ünïcödé "日本"', 'a-b_c.d 1', 'a -x', 'a .', 'a 1;', '{}'.slice(2), 'a "//" "/* */" "{ }"', 'a , b', "a 'x'",
]

const invalid = ['a true', 'a false', 'a null', 'a inf', 'a ["x"]', 'a "x",', 'a r"x"', 'a r#"x"#', 'a "x', 'a {', '}', 'a }', '/', 'a 10MB', 'a /x', 'a "\\q"', 'a "\\u{110000}"', 'a #"x', 'a """x"""',
  '/* x', 'a =1', '=', 'a x=', '1a', 'a 0xg', 'a #yes', 'a "x""y"', 'a (', 'a ()1', 'a 1.', 'a { b', 'a \\ b', 'a {} 1']

describe('KDL', () => {
  for (const text of valid) {
    test(`both read ${JSON.stringify(text)} alike`, () => {
      const { nodes, problems } = parseKdl(text, 'a.kdl')
      assert.deepEqual(problems, [])
      const other = parseOther(text)
      assert.deepEqual(other.errors, [])
      assert.deepEqual(nodes.map(ours), (other.output ?? []).map(theirs))
    })
  }

  for (const text of invalid) {
    test(`both refuse ${JSON.stringify(text)}`, () => {
      const { problems } = parseKdl(text, 'a.kdl')
      assert.ok(problems.length > 0, 'we take it')
      for (const { position } of problems) assert.ok(position.line >= 1 && position.column >= 1)
      assert.ok(parseOther(text).errors.length > 0, 'the other one takes it')
    })
  }

  const examples = kdlFiles(join(sourceRoot(), 'examples'))
  for (const file of examples) {
    test(`both read ${file.slice(sourceRoot().length + 1)} alike`, () => {
      const text = readFileSync(file, 'utf8')
      const { nodes, problems } = parseKdl(text, file)
      assert.deepEqual(problems, [])
      assert.deepEqual(nodes.map(ours), (parseOther(text).output ?? []).map(theirs))
    })
  }
})

function ours (node: KdlNode): Plain {
  return {
    name: node.name,
    args: node.args.map(arg => arg.value),
    props: Object.fromEntries(node.props.map(prop => [prop.name, prop.value])),
    children: (node.children ?? []).map(ours),
  }
}

function theirs (node: Node): Plain {
  return { name: node.name, args: node.values, props: { ...node.properties }, children: node.children.map(theirs) }
}

function kdlFiles (folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter(name => name.endsWith('.kdl') && !name.includes('node_modules')).map(name => join(folder, name)).toSorted()
}
