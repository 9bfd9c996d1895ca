// JSON-RPC 2.0 in frames with a Content-Length, as language servers speak it. No packages: the folder works as it is.

/** Longest message in bytes that is taken in. */
const mostBytes = 64 * 1024 * 1024

/**
 * Speaks with a server over a pair of streams. `notified` gets what it says by itself; `broken` is told once when there is nothing
 * more to be expected. A request is rejected when the server answers with an error or goes away.
 */
export function createPeer (input, output, { notified, broken }) {
  const open = new Map()
  let lastId = 0
  let pending = Buffer.alloc(0)
  let ended = false
  const send = (message) => {
    if (ended) return
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', ...message }))
    output.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]))
  }
  const end = (why) => {
    if (ended) return
    ended = true
    for (const { reject } of open.values()) reject(new Error(why))
    open.clear()
    broken(why)
  }
  const take = (message) => {
    if (message.method !== undefined) {
      if (message.id === undefined) notified(message.method, message.params)
      // This client offers nothing that a server could ask for; null is the answer of one that has nothing to say.
      else send({ id: message.id, result: null })
      return
    }
    const waiting = open.get(message.id)
    open.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message.result)
    else waiting?.reject(new Error(String(message.error.message)))
  }
  input.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk])
    try {
      for (let frame = readFrame(pending); frame !== undefined; frame = readFrame(pending)) {
        pending = frame.rest
        take(JSON.parse(frame.body))
      }
    } catch (error) {
      end(`the server does not speak the protocol: ${error.message}`)
    }
  })
  input.on('end', () => end('the server ended'))
  output.on('error', () => end('the server ended'))
  return {
    notify: (method, params) => send({ method, params }),
    request (method, params) {
      if (ended) return Promise.reject(new Error('the server ended'))
      const id = ++lastId
      return new Promise((resolve, reject) => {
        open.set(id, { resolve, reject })
        send({ id, method, params })
      })
    },
    end: () => end('it was stopped')
  }
}

/** The first whole message, and what comes after it. */
function readFrame (bytes) {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) {
    if (bytes.length > 4096) throw new Error('there is no header')
    return undefined
  }
  const length = Number(/^Content-Length: *(\d{1,10})\r?$/im.exec(bytes.subarray(0, end).toString('latin1'))?.[1] ?? Number.NaN)
  if (!(length <= mostBytes)) throw new Error('a message has no length, or a too large one')
  const from = end + 4
  if (bytes.length < from + length) return undefined
  return { body: bytes.subarray(from, from + length).toString('utf8'), rest: bytes.subarray(from + length) }
}
