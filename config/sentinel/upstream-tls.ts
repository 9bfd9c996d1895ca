import type { KdlEntry } from '../kdl/nodes.ts'
import { optionalBlock } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { optional, setting } from '../schema/fields.ts'
import { bool, existingFile, text } from '../schema/values.ts'
import { checkClientFiles } from './client-certificate.ts'
import { flag } from './flag.ts'

/** `verify #false` is `insecure-skip-verify #true`. What is no switch stays what it is, for the message about it. */
const verify: OlderForm = {
  doc: 'write insecure-skip-verify, which says the opposite',
  when: node => node.args.every(entry => turnedRound(entry) !== undefined),
  into: node => [{ ...node, name: 'insecure-skip-verify', args: node.args.length === 0 ? [{ value: false, at: node.at }] : node.args.map(entry => turnedRound(entry) ?? entry) }],
}

/** From the environment a switch comes as a text. */
function turnedRound (entry: KdlEntry): KdlEntry | undefined {
  if (typeof entry.value === 'boolean') return { ...entry, value: !entry.value }
  const word = entry.written === undefined || typeof entry.value !== 'string' ? undefined : entry.value.toLowerCase()
  return word === 'true' || word === 'false' ? { ...entry, value: word === 'true' ? 'false' : 'true' } : undefined
}

export const upstreamTls = optionalBlock({
  enabled: setting(bool, true, 'Whether TLS is spoken: the block alone says so.'),
  sni: optional(text, 'Name to ask for and to find in the certificate; the host of the target without it.', { aliases: ['server-name'] }),
  caCert: optional(existingFile, 'Authorities to trust, in PEM form, in place of the system\'s.', { aliases: ['ca-file'] }),
  insecureSkipVerify: flag('Accept any certificate. For experiments only.'),
  verify: optional(bool, 'Older form of `insecure-skip-verify`, which says the opposite.', { aliases: ['verify-peer'] }),
  clientCert: optional(existingFile, 'Certificate to show to the target, in PEM form, with what issued it behind it.'),
  clientKey: optional(existingFile, 'Private key of `client-cert`, in PEM form.'),
}, 'Speak TLS to the targets.', {
  older: { verify, 'verify-peer': verify },
  example: `tls {
    sni "backend.internal"
    ca-cert "/etc/sentinel/upstream-ca.pem"
}`,
  build (value, here) {
    const { enabled, verify: _notSwitch, ...tls } = value
    checkClientFiles(value, here)
    if (!enabled) return undefined
    if (value.insecureSkipVerify) here.report.warning('CONFIG_NO_EFFECT', `${here.scope} accepts any certificate: TLS protects nothing then`, here.where('insecureSkipVerify'))
    return tls
  },
})
