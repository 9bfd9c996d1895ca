import { block, defineAgent, map, serve, text } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'api-key',
  config: { keys: map(text, 'The key of each client, by its name.') },
  setsHeaders: ['x-client'],

  prepare: ({ keys }) => new Map(Object.entries(keys).map(([client, key]) => [key, client])),

  onRequest (request, { state, attributes }) {
    const client = state.get(request.headers.get('x-api-key'))
    if (client === undefined) return block(401, { body: { error: 'unknown key' }, audit: { reason: 'unknown_key' } })
    request.headers.set('x-client', client)
    request.headers.remove('x-api-key')
    attributes.set('user', client)
  },
}))
