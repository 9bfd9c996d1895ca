/** Documents with more pieces are refused, see `xmlTexts`. */
const maxPieces = 20_000

/**
 * Texts, CDATA sections, comments and attribute values of an XML document, entities not yet replaced. No parser: what it
 * misreads is still in the raw text, which is looked at too. Returns undefined when there are too many.
 */
export function xmlTexts (document: string): string[] | undefined {
  const texts: string[] = []
  let at = 0
  while (at < document.length) {
    if (texts.length > maxPieces) return undefined
    const open = document.indexOf('<', at)
    const plainEnd = open < 0 ? document.length : open
    push(texts, document.slice(at, plainEnd))
    if (open < 0) break
    const end = document.startsWith('<![CDATA[', open)
      ? section(document, open + 9, ']]>', texts)
      : document.startsWith('<!--', open) ? section(document, open + 4, '-->', texts) : tag(document, open + 1, texts)
    at = end
  }
  return texts
}

/** Adds what stands up to `close`, or up to the end; returns where the rest begins. */
function section (document: string, start: number, close: string, texts: string[]): number {
  const end = document.indexOf(close, start)
  push(texts, document.slice(start, end < 0 ? document.length : end))
  return end < 0 ? document.length : end + close.length
}

/** Adds the attribute values of one tag. A `>` inside quotes ends the tag here, so the rest counts as text: seen all the same. */
function tag (document: string, start: number, texts: string[]): number {
  const end = document.indexOf('>', start)
  const inner = document.slice(start, end < 0 ? document.length : end)
  for (const [, double, single] of inner.matchAll(/=[ \t\r\n]{0,100}(?:"([^"]*)(?:"|$)|'([^']*)(?:'|$))/g)) {
    push(texts, double ?? single ?? '')
    if (texts.length > maxPieces) break
  }
  return end < 0 ? document.length : end + 1
}

function push (texts: string[], text: string): void {
  if (text.trim() !== '') texts.push(text)
}
