// Whatever stands here decides. Save the file, and the next request is decided by it.

export function onRequest (request) {
  if (config.maintenance) return block(503, { body: 'Back in a minute.\n', headers: { 'retry-after': '60' } })

  const moved = config.moved[request.path]
  if (moved !== undefined) return redirect(moved, 301)

  if (request.path.startsWith('/admin') && request.headers['x-team'] !== 'operations') {
    console.warn('refused', request.path, 'for', request.ip)
    return { decision: 'block', status: 403, body: 'Operations only.\n', tags: ['admin'] }
  }

  request.headers['x-checked-by'] = 'custom.mjs'
}

export function onRequestBody (body, request) {
  if (request.headers['content-type'] === 'application/json' && body.json().debug === true) return block(422, { body: { error: 'debug is not for clients' } })
}

export function onResponse (response) {
  response.headers.remove('x-powered-by')
  response.headers['x-frame-options'] = 'DENY'
}
