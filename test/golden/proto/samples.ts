import {
  emptyAudit, emptyComplete, emptyDecision, emptyDescribeResponse, emptyMessageAnswer, emptyRequestHeaders, emptyResponseHeaders, encode, encodeConfigureRequest,
  encodeConfigureResponse, encodeDescribeRequest, encodeDescribeResponse, encodeFromAgent, encodeToAgent, writeGuardrail, writeTls, writeToolCall, writeToolResult,
  writeWebSocketMessage,
  type Decision, type Event, type EventOneOf, type Reply, type ReplyOneOf,
} from '../../../proto/codec/index.ts'

/** A message, and its bytes: agent-v1.txt holds what they must be for every peer, in any language. */
export interface Sample {
  readonly type: string
  readonly message: unknown
  readonly bytes: Buffer
}

const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', sni: 'a.test', clientSubject: 'CN=bob', clientSans: ['DNS:b.test'], clientFingerprint: 'ab12' }

const requestHeaders = {
  ...emptyRequestHeaders,
  requestId: '01J0000000000000000000000A',
  method: 'POST',
  scheme: 'https',
  authority: 'a.test:8443',
  rawPath: '/a/../b%2Fc\xe9',
  path: '/b%2Fcé',
  query: 'q=1&q=2',
  httpVersion: '1.1',
  headers: ['Host', 'a.test:8443', 'X-Two', '1', 'x-two', '2', 'X-Raw', '\xff\x80', 'X-Empty', ''],
  clientIp: '2001:db8::1',
  clientPort: 51234,
  tls,
  route: 'api',
  listener: 'main',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  attributes: new Map([['user', 'bob'], ['empty', '']]),
  hasBody: true,
  contentLength: 0,
  mode: 'dry_run',
  bodyMode: { kind: 'buffer', maxBytes: 1048576, over: 'prefix' },
  configVersion: 'sha256:1',
} as const

function event (kind: EventOneOf): Event {
  return { exchange: 300, sequence: 2, timeoutMs: 950, ...kind }
}

function reply (kind: ReplyOneOf): Reply {
  return { exchange: 300, sequence: 2, ...kind }
}

function decision (fields: Partial<Decision>): Sample {
  // The parts come from one member of the union each.
  return replies(reply({ kind: 'decision', value: { ...emptyDecision, ...fields } as Decision }))
}

function events (...list: Event[]): Sample {
  const message = { events: list }
  return { type: 'ToAgent', message, bytes: encodeToAgent(message) }
}

function replies (...list: Reply[]): Sample {
  const message = { replies: list }
  return { type: 'FromAgent', message, bytes: encodeFromAgent(message) }
}

function sample<T> (type: string, message: T, bytes: (message: T) => Buffer): Sample {
  return { type, message, bytes: bytes(message) }
}

export const samples: Readonly<Record<string, Sample>> = {
  'describe-request': sample('DescribeRequest', { protocolVersions: [1, 2], proxy: 'sentinel 0.1.0', agentId: 'waf' }, encodeDescribeRequest),
  'describe-response': sample('DescribeResponse', {
    ...emptyDescribeResponse,
    name: 'waf',
    version: '1.2.3',
    protocolVersion: 1,
    events: ['request_headers', 'request_body', 'complete'] as const,
    limits: { maxExchanges: 1000, maxBodyBytes: 2 ** 33 },
    configSchema: '{"type":"object"}',
    setsRequestHeaders: ['x-user'],
    requestBody: { kind: 'stream', maxBytes: 0, over: 'block' } as const,
  }, encodeDescribeResponse),
  'configure-request': sample('ConfigureRequest', { configJson: Buffer.from('{"a":1}'), validateOnly: true, version: 'v1' }, encodeConfigureRequest),
  'configure-response': sample('ConfigureResponse', {
    accepted: false,
    problems: [{ path: ['rules', '3', 'pattern'], message: 'is not a regular expression', hint: 'missing )' }],
  }, encodeConfigureResponse),

  'event-request-headers': events(event({ kind: 'request_headers', value: requestHeaders })),
  'events-batched': events(
    event({ kind: 'request_body', value: { data: Buffer.from([0, 255]), end: false, truncated: false } }),
    event({ kind: 'request_body', value: { data: Buffer.alloc(0), end: true, truncated: true } }),
    event({ kind: 'request_trailers', value: { headers: ['Checksum', 'abc'] } }),
  ),
  'event-response-headers': events(event({
    kind: 'response_headers',
    value: { ...emptyResponseHeaders, status: 200, headers: ['Set-Cookie', 'a', 'Set-Cookie', 'b'], upstream: 'api', target: '10.0.0.1:80', contentLength: 5 },
  })),
  'event-response-body': events(event({ kind: 'response_body', value: { data: Buffer.from('hello'), end: true, truncated: false } })),
  'event-complete': events(event({
    kind: 'complete',
    value: { ...emptyComplete, status: 200, requestBodyBytes: 2 ** 40, responseBodyBytes: 5, durationMs: 1.5, upstreamMs: 0.25, error: 'CLIENT_GONE' },
  })),
  'event-cancel': events(event({ kind: 'cancel', value: { reason: 'client_gone', detail: 'reset' } })),
  'event-credit': events(event({ kind: 'credit', value: { bytes: 65536 } })),
  'event-none': events({ exchange: 1, sequence: 1, timeoutMs: 0, kind: undefined, value: undefined }),
  'websocket-message': sample('WebSocketMessage', { fromClient: true, binary: true, data: Buffer.from([1]), partial: false }, (m) => encode(writeWebSocketMessage, m)),
  'tool-call': sample('ToolCall', {
    protocol: 'mcp', server: 'files', tool: 'read', argumentsJson: Buffer.from('{}'), callId: '7',
  }, (m) => encode(writeToolCall, m)),
  'tool-result': sample('ToolResult', {
    callId: '7', resultJson: Buffer.from('[]'), isError: true, protocol: 'mcp', server: 'files', tool: 'read',
  }, (m) => encode(writeToolResult, m)),
  guardrail: sample('Guardrail', {
    inspection: 'pii' as const, texts: [{ role: 'assistant', text: 'ü' }, { role: '', text: '' }], categories: ['email'], model: 'm',
  }, (m) => encode(writeGuardrail, m)),
  tls: sample('Tls', tls, (m) => encode(writeTls, m)),

  'reply-findings': replies(reply({
    kind: 'findings',
    value: { detected: true, confidence: 0.5, findings: [{ category: 'email', confidence: 1, text: 1, start: 2, end: 300 }], audit: { ...emptyAudit, reason: 'r' } },
  })),
  'decision-allow': decision({ kind: 'allow', value: {} }),
  'decision-flag': decision({ kind: 'flag', value: {}, attributes: new Map([['score', '7']]) }),
  'decision-review': decision({ kind: 'review', value: { ticket: 'T-1' } }),
  'decision-block': decision({
    kind: 'block',
    value: { status: 451, headers: ['Content-Type', 'text/plain'], body: Buffer.from('no') },
    audit: {
      ...emptyAudit, ruleIds: ['942100'], tags: ['sqli'], reason: 'sqli', severity: 'critical', confidence: 0.75, redactions: ['email'], details: new Map([['k', 'v']]),
    },
  }),
  'decision-redirect': decision({ kind: 'redirect', value: { status: 308, location: 'https://b.test/' } }),
  'decision-challenge': decision({
    kind: 'challenge', value: { scheme: 'Basic', params: new Map([['realm', 'a "b"']]), body: Buffer.from('who?') },
  }),
  'decision-redact': decision({ kind: 'redact', value: {}, replaceBody: Buffer.alloc(0) }),
  'decision-edits': decision({
    kind: 'allow',
    value: {},
    requestHeaders: [{ action: 'set', name: 'x-a', value: '\xe9' }, { action: 'append', name: 'x-b', value: '' }, { action: 'remove', name: 'x-c', value: '' }],
    responseHeaders: [{ action: 'append', name: 'set-cookie', value: 'a=1' }],
    rewritePath: '/new',
    rewriteQuery: '',
    upstream: 'other',
    wants: { done: false, requestBody: { kind: 'buffer', maxBytes: 10, over: 'skip' }, responseHeaders: true, responseBody: undefined },
  }),
  'replies-of-chunks': replies(
    reply({ kind: 'chunk', value: { kind: 'pass', value: {} } }),
    reply({ kind: 'chunk', value: { kind: 'replace', value: Buffer.from('x') } }),
    reply({ kind: 'chunk', value: { kind: 'hold', value: {} } }),
    reply({ kind: 'chunk', value: { kind: 'drop', value: {} } }),
    reply({ kind: 'chunk', value: { kind: 'pass_but_tail', value: 0 } }),
  ),
  'replies-of-messages': replies(
    reply({ kind: 'message', value: { ...emptyMessageAnswer, kind: 'allow', value: {} } }),
    reply({ kind: 'message', value: { ...emptyMessageAnswer, kind: 'drop', value: {}, attributes: new Map([['spam', '1']]) } }),
    reply({ kind: 'message', value: { ...emptyMessageAnswer, kind: 'replace', value: { binary: true, data: Buffer.from([0xff]) }, audit: { ...emptyAudit, reason: 'email' } } }),
    reply({
      kind: 'message',
      value: { ...emptyMessageAnswer, kind: 'close', value: { code: 4001, reason: 'bye' }, wants: { done: true, requestBody: undefined, responseHeaders: false, responseBody: undefined } },
    }),
  ),
  'event-websocket-message': events(event({ kind: 'websocket_message', value: { fromClient: false, binary: false, data: Buffer.from('hi'), partial: false } })),
  'reply-error': replies(reply({ kind: 'error', value: { code: 'busy', message: 'too many', retryable: true } })),
  'reply-more-time': replies(reply({ kind: 'more_time', value: { timeoutMs: 500 } })),
  'reply-credit': replies(reply({ kind: 'credit', value: { bytes: 1 } })),
}
