import { block, optionalBlock } from '../schema/blocks.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { bool, existingFile, path, text, textLike, words } from '../schema/values.ts'
import { host, httpUrl, ipAddress } from './types.ts'

const email = textLike('an e-mail address', /^[^\s@]+@[^\s@]+$/, '"ops@example.com"')
const variableName = textLike('the name of an environment variable', /^[A-Za-z_][A-Za-z0-9_]*$/, '"DNS_API_TOKEN"')

const dnsProviderFields = {
  type: required(words(['cloudflare', 'hetzner', 'webhook'], {}), 'Who serves the zone; webhook = a program of your own that sets the records.'),
  url: optional(httpUrl, 'Where the webhook is.'),
  authHeader: optional(text, 'Value of the `Authorization` header that the webhook gets.', { secret: true }),
  credentialsFile: optional(existingFile, 'File with the token of the provider.'),
  credentialsEnv: optional(variableName, 'Environment variable with the token of the provider.'),
  apiTimeout: setting(durationWithin('1s', '10m'), '30s', 'How long one call of the provider may take.', { aliases: ['api-timeout-secs'] }),
  propagation: block({
    initialDelay: setting(durationWithin('0s', '1h'), '10s', 'Wait before the first look for the record.', { aliases: ['initial-delay-secs'] }),
    checkInterval: setting(durationWithin('1s', '1h'), '5s', 'Time between two looks.', { aliases: ['check-interval-secs'] }),
    timeout: setting(durationWithin('1s', '1h'), '2m', 'How long to look for the record before giving up.', { aliases: ['timeout-secs'] }),
    nameservers: list(ipAddress, [], 'Name servers to ask; those of the system without it.'),
  }, 'Waiting for the record to be seen everywhere.', {
    example: `propagation {
    initial-delay "10s"
    timeout "2m"
    nameservers "1.1.1.1" "8.8.8.8"
}`,
    build (value, here) {
      if (value.checkInterval > value.timeout) {
        here.report.error('CONFIG_CONTRADICTION', `'check-interval' of ${here.scope} is longer than 'timeout'`, here.where('checkInterval'))
      }
      return value
    },
  }),
}

type Provider = { readonly type: 'cloudflare' | 'hetzner' | 'webhook' }

function checkProvider<P extends Provider> (value: P, here: Here<typeof dnsProviderFields>): P {
  const { report } = here
  if (value.type === 'webhook') {
    if (!here.given('url')) report.error('CONFIG_MISSING', `${here.scope} needs 'url'`, here.at, 'write url "https://…": where the webhook is')
    return value
  }
  const [first, second] = (['credentialsFile', 'credentialsEnv'] as const).filter(name => here.given(name))
  if (first === undefined) report.error('CONFIG_MISSING', `${here.scope} needs 'credentials-file' or 'credentials-env'`, here.at, 'a token of the provider that may change the zone')
  if (second !== undefined) report.warning('CONFIG_NO_EFFECT', `${here.scope} has credentials in a file and in the environment`, here.where(second), 'those in the file count')
  for (const name of ['url', 'authHeader'] as const) {
    if (here.given(name)) report.error('CONFIG_CONTRADICTION', `${here.scope} has the settings of a webhook, but is of type ${value.type}`, here.where(name))
  }
  return value
}

const fields = {
  email: required(email, 'Whom the authority writes to when something is wrong.'),
  domains: list(host, [], 'Names that the certificate is for.', { min: 1 }),
  serverUrl: optional(httpUrl, 'Directory of the authority; without it Let\'s Encrypt.', { aliases: ['directory-url'] }),
  staging: setting(bool, false, 'Use the authority\'s test system: its certificates are trusted by nobody, and its limits are wide.'),
  eab: optionalBlock({
    kid: required(text, 'Name of the key.'),
    hmacKey: required(text, 'The key, as the authority gave it.', { secret: true }),
  }, 'Account that the authority made beforehand.', { example: 'eab {\n    kid "key-1"\n    hmac-key "${EAB_KEY:-set-in-the-environment}"\n}' }),
  storage: setting(path, '/var/lib/sentinel/acme', 'Folder for account, keys and certificates.'),
  renewBefore: setting(durationWithin('1d', '89d'), '30d', 'How long before its end a certificate is renewed.', { aliases: ['renew-before-days'] }),
  challengeType: setting(words(['http-01', 'dns-01'], {
    also: { 'http-01': ['http01', 'http'], 'dns-01': ['dns01', 'dns'] },
  }), 'http-01', 'How to prove that the names are yours: http-01 = a file under /.well-known, dns-01 = a record in the zone.', { aliases: ['challenge'] }),
  keyType: setting(words(['ecdsa-p256', 'ecdsa-p384'], {
    also: { 'ecdsa-p256': ['p256', 'ecdsa'], 'ecdsa-p384': ['p384'] },
  }), 'ecdsa-p256', 'Kind of the certificate\'s key.'),
  dnsProvider: optionalBlock(dnsProviderFields, 'Who changes the zone for dns-01.', {
    args: ['type'],
    build: checkProvider,
    example: `dns-provider {
    type "cloudflare"
    credentials-file "/etc/sentinel/secrets/cloudflare-token"
    propagation { timeout "2m" }
}`,
  }),
}

interface AcmeAsGiven {
  readonly domains: readonly string[]
  readonly challengeType: 'http-01' | 'dns-01'
  readonly staging: boolean
}

function check<A extends AcmeAsGiven> (value: A, here: Here<typeof fields>): A {
  const { report } = here
  const wildcard = value.domains.find(name => name.startsWith('*.'))
  if (value.challengeType === 'http-01') {
    if (wildcard !== undefined) {
      report.error('CONFIG_CONTRADICTION', `${here.scope} asks for '${wildcard}', which http-01 cannot prove`, here.where('domains'), 'write challenge-type "dns-01" and a dns-provider')
    } else if (here.given('dnsProvider')) {
      report.warning('CONFIG_NO_EFFECT', `'dns-provider' of ${here.scope} has no effect: the challenge is http-01`, here.where('dnsProvider'))
    }
  } else if (!here.given('dnsProvider')) {
    report.error('CONFIG_MISSING', `${here.scope} needs 'dns-provider': dns-01 sets a record in the zone`, here.where('challengeType'), 'write dns-provider { type "…"; credentials-file "…" }')
  }
  if (value.staging && here.given('serverUrl')) {
    report.warning('CONFIG_NO_EFFECT', `'staging' of ${here.scope} has no effect beside 'server-url'`, here.where('staging'))
  }
  // Two orders for one name would replace each other's certificate. Hosts are in lower case already.
  for (const domain of value.domains) report.define('acme domain', domain, here.where('domains'), { names: '' })
  return value
}

export const acme = optionalBlock(fields, 'Certificates from an authority such as Let\'s Encrypt, fetched and renewed by itself.', {
  build: check,
  example: `acme {
    email "ops@example.com"
    domains "example.com" "www.example.com"
    storage "/var/lib/sentinel/acme"
}`,
})
