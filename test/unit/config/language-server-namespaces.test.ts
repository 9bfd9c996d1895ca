import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TextDocument } from 'vscode-languageserver-textdocument'
import { analyse } from '../../../config/language-server/analysis.ts'
import { completionsAt } from '../../../config/language-server/completion.ts'
import { diagnosticsOf } from '../../../config/language-server/diagnostics.ts'
import { definitionAt, referencesAt, renameAt } from '../../../config/language-server/names.ts'

const file = '/etc/sentinel/sentinel.kdl'
const two = `listeners { listener "main" { address "127.0.0.1:8080"; namespace "shop" } }
upstreams { upstream "outer" { target "127.0.0.1:1" } }
namespace "shop" {
    upstreams { upstream "cart" { target "127.0.0.1:2" } }
    routes { route "cart" { matches { path-prefix "/cart" }; upstream "cart" } }
    service "pay" {
        upstreams { upstream "own" { target "127.0.0.1:3" } }
        routes { route "pay" { matches { path-prefix "/pay" }; upstream "own" } }
    }
}
namespace "bank" {
    upstreams { upstream "vault" { target "127.0.0.1:4" }; upstream "till" { target "127.0.0.1:5" } }
    exports { upstreams "till" }
}
`

function at (text: string): { readonly offset: number, readonly analysis: ReturnType<typeof analyse>, readonly document: TextDocument } {
  const plain = text.replace('|', '')
  return { offset: text.indexOf('|'), analysis: analyse(plain, file), document: TextDocument.create(`file://${file}`, 'kdl', 1, plain) }
}

test('in a namespace and a service names are offered as they may be written there, and nothing that others keep to themselves', () => {
  const offered = (text: string): readonly string[] => {
    const { analysis, document, offset } = at(text)
    return completionsAt(analysis, document, offset, { snippets: false }).map(({ label }) => label).toSorted()
  }
  assert.deepEqual(offered(two.replace('upstream "cart" }', 'upstream "|" }')), ['bank:till', 'cart', 'outer', 'pay:own'].toSorted())
  assert.deepEqual(offered(two.replace('upstream "own" }', 'upstream "|" }')), ['bank:till', 'cart', 'outer', 'own'])
  assert.deepEqual(offered(two.replace('namespace "shop" }', 'namespace "|" }')), ['bank', 'shop', 'shop:pay'])
  assert.deepEqual(offered(two.replace('upstreams "till"', 'upstreams "|"')), ['till', 'vault'])
  assert.ok(offered(two.replace('exports {', '|\n    exports {')).includes('service'))
})

test('a name leads to the thing it means, and both are renamed together', () => {
  const { analysis, document, offset } = at(two.replace('upstream "cart" }', 'upstream "ca|rt" }'))
  const found = definitionAt(analysis, document, offset)
  assert.equal(found?.range.start.line, 3)
  assert.equal(referencesAt(analysis, document, offset, true).length, 2)
  const renamed = TextDocument.applyEdits(document, renameAt(analysis, document, offset, 'basket'))
  assert.equal(renamed, two.replace('upstream "cart" {', 'upstream "basket" {').replace('upstream "cart" }', 'upstream "basket" }'))
})

test('mistakes are told as the command line tells them', () => {
  const told = (text: string): readonly string[] => diagnosticsOf(at(text).document, file).filter(({ severity }) => severity === 1).map(({ message }) => (typeof message === 'string' ? message : message.value).split('\n')[0]!)
  assert.deepEqual(told(two), [])
  assert.deepEqual(told(two.replace('upstream "own" }', 'upstream "vault" }')), ["route 'pay' references upstream 'vault', which doesn't exist"])
})
