/** Types of bodies that are a JSON value on each line: every line is written when there is something to say. */
const linesType = /^\s*application\/(?:x-)?(?:ndjson|jsonl|jsonlines|json-lines|json-seq|json-stream)\b/i
/** Event streams: https://html.spec.whatwg.org/#server-sent-events */
const endlessType = /^\s*(?:text\/event-stream|application\/grpc|multipart\/x-mixed-replace)\b/i

/**
 * Whether a body goes on for ever or is read while it is written: whoever waits for its end breaks it. Lines of JSON whose length is known are a file.
 */
export function isEndless (contentType: string | undefined, length: number | undefined): boolean {
  return contentType !== undefined && (endlessType.test(contentType) || length === undefined && saysLines(contentType))
}

export function saysLines (contentType: string): boolean {
  return linesType.test(contentType)
}
