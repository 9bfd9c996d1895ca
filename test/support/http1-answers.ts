/** Answers in a row of bytes, read with the reader that the upstreams read with, in pieces of any size. */
import { Malformed } from '../../proxy/http1/fields.ts'
import { AnswerReader } from '../../proxy/upstreams/answer-reader.ts'

export interface Answer {
  readonly status: number
  /** Without those that end at this hop. */
  readonly fields: readonly string[]
  body: string
  trailers: readonly string[]
  /** Its end was seen. */
  complete: boolean
}

export interface ReadAnswers {
  /** Interim ones included. */
  readonly answers: Answer[]
  /** Why what came then was refused. */
  readonly refused: string | undefined
}

/** Answers to requests of one method, until the connection would be closed. `pieceLength` says how many bytes come at a time. */
export function readAnswers (bytes: Buffer, method: string, pieceLength: () => number): ReadAnswers {
  const answers: Answer[] = []
  let at = 0
  while (at < bytes.length) {
    let open: Answer | undefined
    const add = (status: number, fields: readonly string[], complete: boolean): Answer => {
      const answer = { status, fields, body: '', trailers: [], complete }
      answers.push(answer)
      return answer
    }
    const reader = new AnswerReader(method, {
      interim: (status, headers) => { add(status, headers.raw(), true) },
      head: (status, { headers }) => { open = add(status, headers.raw(), false) },
      switched: () => 'a switch of protocols that nobody asked for',
      piece: (piece) => { open!.body += piece.toString('latin1') },
    })
    while (at < bytes.length && !reader.complete) {
      const used = reader.push(bytes.subarray(at, at + pieceLength()))
      if (used instanceof Malformed) return { answers, refused: used.detail }
      at += used
    }
    if (reader.end() && open !== undefined) Object.assign(open, { complete: true, trailers: reader.trailers })
    if (!reader.persistent) break
  }
  return { answers, refused: undefined }
}
