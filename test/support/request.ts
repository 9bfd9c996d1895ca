import http from 'node:http'
import https from 'node:https'

export interface RequestInit {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer | AsyncIterable<Buffer>
  readonly host?: string
  readonly tls?: { readonly ca: string | Buffer, readonly servername?: string, /** What the client shows. */ readonly cert?: Buffer, readonly key?: Buffer }
  readonly agent?: http.Agent | https.Agent
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly bytes: Buffer
  readonly text: string
  readonly trailers: NodeJS.Dict<string>
  readonly ms: number
}

/** One request as given: the path is not normalised, nothing is followed, every status is an answer. Rejects when the answer is cut. */
export function request (port: number, path: string, init: RequestInit = {}): Promise<Answer> {
  const startedMs = performance.now()
  const { tls } = init
  const options = {
    host: '127.0.0.1', port, path, method: init.method ?? (init.body === undefined ? 'GET' : 'POST'),
    headers: { ...init.host === undefined ? {} : { host: init.host }, ...init.headers },
    agent: init.agent ?? false,
    ...tls === undefined ? {} : { ...tls, servername: tls.servername ?? 'localhost' },
  }
  return new Promise((resolve, reject) => {
    const sent = (tls === undefined ? http : https).request(options as https.RequestOptions, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({
          status: response.statusCode!, headers: response.headers, rawHeaders: response.rawHeaders, trailers: response.trailers,
          bytes, text: bytes.toString('utf8'), ms: performance.now() - startedMs,
        })
      })
    })
    sent.on('error', reject)
    const { body } = init
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) sent.end(body)
    else upload(body, sent).catch(reject)
  })
}

async function upload (body: AsyncIterable<Buffer>, sent: http.ClientRequest): Promise<void> {
  for await (const chunk of body) {
    if (!sent.write(chunk)) await new Promise((go) => sent.once('drain', go))
  }
  sent.end()
}
