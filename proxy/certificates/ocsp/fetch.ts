import { request } from 'node:http'

/** Answers are one or two kilobytes. */
const maxBytes = 64 * 1024

/** For the whole of it. */
const patienceMs = 10_000

/** Asks a responder over HTTP (RFC 6960, appendix A). Follows nothing. Rejects with a sentence about why there is no answer. */
export function askResponder (url: string, question: Buffer, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, {
      method: 'POST', agent: false, signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]), maxHeaderSize: 8 * 1024,
      headers: { 'content-type': 'application/ocsp-request', 'accept': 'application/ocsp-response', 'content-length': question.length },
    }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      if (response.statusCode !== 200) {
        response.destroy()
        return reject(new Error(`the responder answers ${response.statusCode}`))
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBytes) response.destroy(new Error('the answer is too large'))
      })
      response.on('end', () => resolve(Buffer.concat(chunks)))
      response.on('error', reject)
    })
    asked.on('error', (error) => reject(error.name === 'AbortError' || error.name === 'TimeoutError' ? new Error('the responder is silent') : error))
    asked.end(question)
  })
}
