import type { Here } from '../schema/read-block.ts'
import { map, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { anyText, existingFile, words } from '../schema/values.ts'
import { httpUrl } from './types.ts'

/** How a collector is reached; traces and figures have each their own. */
export const collectorFields = {
  endpoint: required(httpUrl, 'Where the collector is: its address, or the whole URL.'),
  protocol: optional(words(['grpc', 'http', 'http/json'], { also: { http: ['http/protobuf'] } }), 'How OTLP is carried; without it grpc on port 4317, http on others.'),
  timeout: setting(durationWithin('1ms', '5m'), '10s', 'How long one delivery may take.', { aliases: ['timeout-ms', 'timeout-secs'] }),
  headers: map(anyText, 'Header fields that the collector wants.'),
  tokenFile: optional(existingFile, 'File with a token for `Authorization: Bearer`, read anew for each delivery.', { aliases: ['bearer-token-file'] }),
}

interface Given {
  readonly endpoint: URL
  readonly protocol: 'grpc' | 'http' | 'http/json' | undefined
  readonly timeout: number
  readonly headers: Readonly<Record<string, string>>
  readonly tokenFile: string | undefined
}

export interface Collector {
  /** An http or https URL as text: a configuration is plain data. */
  readonly endpoint: string
  readonly protocol: 'grpc' | 'http' | 'http/json'
  readonly timeout: number
  readonly headers: Readonly<Record<string, string>>
  readonly tokenFile: string | undefined
}

/** Fields that say how a message is carried, and are not the operator's to write. */
const ours = /^(?::.*|content-.*|transfer-encoding|connection|host|te|upgrade|keep-alive|grpc-.*)$/i

export function collectorOf ({ endpoint, protocol, timeout, headers, tokenFile }: Given, here: Pick<Here<typeof collectorFields>, 'report' | 'scope' | 'where'>): Collector {
  const { report, scope } = here
  if (endpoint.username !== '' || endpoint.password !== '') {
    report.error('CONFIG_CONTRADICTION', `'endpoint' of ${scope} holds a password`, here.where('endpoint'), 'write headers { Authorization "${VARIABLE}" }, or token-file')
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || ours.test(name)) report.error('CONFIG_TYPE', `'${name}' is no header field that may be written here`, here.where('headers'))
    else if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) report.error('CONFIG_TYPE', `the value of '${name}' cannot be sent in a header field`, here.where('headers'))
    if (name.toLowerCase() === 'authorization' && tokenFile !== undefined) {
      report.error('CONFIG_CONTRADICTION', `${scope} has both an Authorization field and 'token-file'`, here.where('tokenFile'), 'one of them is enough')
    }
  }
  return { endpoint: endpoint.href, protocol: protocol ?? (endpoint.port === '4317' ? 'grpc' : 'http'), timeout, headers, tokenFile }
}
