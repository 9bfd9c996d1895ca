import type { Expectation } from '../expectation.ts'

function call (name: string, args: object): Pick<Expectation, 'path' | 'method' | 'headers' | 'body'> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name, arguments: args } })
  return { path: '/mcp', method: 'POST', headers: { 'content-type': 'application/json' }, body }
}

const refused = '{"jsonrpc":"2.0","id":7,"error":{"code":-32050'

export const expected: readonly Expectation[] = [
  { ...call('read_file', { path: '/srv/shared/notes.txt' }), status: 200, answerPart: '"tools/call"' },
  { ...call('delete_file', { path: '/srv/shared/notes.txt' }), status: 200, answerHeaders: { 'content-type': 'application/json' }, answerPart: refused },
  { ...call('read_file', { path: '/etc/passwd' }), status: 200, answerPart: refused },
  { ...call('read_file', { path: '/srv/shared/../../etc/passwd' }), status: 200, answerPart: refused },
  { ...call('read_file', { path: '/srv/shared/notes.txt' }), body: '{"method":"tools/call","params":{"name":"read_file","name":"delete_file"}}', status: 400 },
  { path: '/mcp', method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}', status: 200, answerPart: 'tools/list' },
]
