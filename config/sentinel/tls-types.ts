/** Kinds of values that only TLS has. Whoever serves hands them to OpenSSL as they are. */
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, words } from '../schema/values.ts'

export type TlsVersion = '1.2' | '1.3'

export const tlsVersion: ValueType<TlsVersion> = {
  name: 'TLS version',
  expected: 'one of 1.2, 1.3',
  example: '"1.2"',
  words: ['1.2', '1.3'],
  json: { type: 'string', pattern: '^([Tt][Ll][Ss][Vv]?)?1\\.[23]$' },
  parse (raw) {
    if (typeof raw === 'number') return { wrong: '', hint: `write "${raw}" with quotes` }
    if (typeof raw !== 'string') return unfit
    const version = raw.toLowerCase().replace(/^tls[ _-]?v?/, '').replace('_', '.')
    if (version === '1.2' || version === '1.3') return { value: version }
    const old = /^1(?:\.[01])?$/.test(version) || version.startsWith('ssl')
    return old ? { wrong: 'versions before TLS 1.2 can be broken and are never spoken', hint: 'every client of the last ten years speaks "1.2"' } : unfit
  },
}

/** Names of the standard, with those of OpenSSL and others beside them. All of them keep earlier traffic secret when a key is lost. */
const openSslNames = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
} as const

type StandardName = keyof typeof openSslNames

// The keys are the names: Object.keys forgets that.
const standardNames = Object.keys(openSslNames) as StandardName[]

const suiteWords = words(standardNames, {
  also: Object.fromEntries(standardNames.map(name => [name, [openSslNames[name], name.replace(/^TLS_(?!ECDHE)/, 'TLS13_')].filter(other => other !== name)])),
})

/** Gives the name that OpenSSL knows. Words that begin with "TLS_" and have no "WITH" are of TLS 1.3. */
export const cipherSuite: ValueType<string> = {
  ...suiteWords,
  name: 'cipher suite',
  expected: 'a cipher suite that is good today',
  example: '"TLS_AES_256_GCM_SHA384" "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"',
  parse (raw, context) {
    const found = suiteWords.parse(raw, context)
    if (!('wrong' in found)) return { value: openSslNames[found.value] }
    if (typeof raw === 'string' && raw.includes(':')) return { wrong: '', hint: 'write them one after the other: "NAME" "NAME"' }
    return found
  },
}

export function versionOfSuite (openSslName: string): TlsVersion {
  return openSslName.startsWith('TLS_') ? '1.3' : '1.2'
}

export type ClientAuth = 'off' | 'optional' | 'required'

const clientAuthWords = words(['off', 'optional', 'required'], { also: { off: ['none'], optional: ['request', 'want'], required: ['require', 'on', 'need'] } })

/** #true is what most files say for "required". */
export const clientAuth: ValueType<ClientAuth> = {
  ...clientAuthWords,
  expected: '#true, #false or one of required, optional, off',
  json: { anyOf: [{ type: 'boolean' }, { enum: ['off', 'optional', 'required'] }] },
  parse (raw, context) {
    const plain = bool.parse(raw, { ...context, lenient: true })
    if (!('wrong' in plain)) return { value: plain.value ? 'required' : 'off' }
    return clientAuthWords.parse(raw, context)
  },
}
