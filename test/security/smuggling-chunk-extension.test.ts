// What stands behind a chunk size is skipped by most, each in its own way. Kuczynski 2025 ("Funky chunks": TERM.EXT, EXT.TERM, TERM.SPILL, SPILL.TERM);
// Kallus and Bailey 2024 (HTTP Garden); CVE-2024-24549, CVE-2025-22871 (Go), CVE-2025-55315 (Kestrel), CVE-2025-58056 (Netty). RFC 9112 section 7.1.1.
import { chunk, chunked, hidden, post, smuggling } from '../support/smuggling.ts'

smuggling('a chunk extension', {
  refused: Object.fromEntries(Object.entries({
    'a bare LF in it (TERM.EXT)': `2;\nxx\r\n${chunk(hidden)}0\r\n\r\n`, 'a bare LF that ends it (EXT.TERM)': `2;a\nxx\r\n0\r\n\r\n${hidden}`, 'a bare LF behind the size': `1\na\r\n0\r\n\r\n${hidden}`, 'a bare CR in it': `1;a\rb\r\na\r\n0\r\n\r\n${hidden}`,
    'a bare CR behind the size': `1\rX\r\na\r\n0\r\n\r\n${hidden}`, 'CR CR LF': `1;a\r\r\na\r\n0\r\n\r\n${hidden}`, 'a bare LF and a name': `1;a\nb\r\na\r\n0\r\n\r\n${hidden}`, 'a quoted line end': `1;a="\r\n0\r\n\r\n${hidden}"\r\n`,
    'a quoted bare LF': `1;a="\n"\r\na\r\n0\r\n\r\n${hidden}`, 'a quote that does not end': `1;a="b\r\na\r\n0\r\n\r\n${hidden}`, 'a line end behind a backslash': `1;a="\\\r\n"\r\na\r\n0\r\n\r\n${hidden}`,
    'a NUL': `1;a=\0\r\na\r\n0\r\n\r\n${hidden}`, 'octets above ASCII': `1;a=\xff\r\na\r\n0\r\n\r\n${hidden}`, 'no name': `1;\r\na\r\n0\r\n\r\n${hidden}`, 'two semicolons': `1;;a\r\na\r\n0\r\n\r\n${hidden}`, 'a space before it': `1 ;a\r\na\r\n0\r\n\r\n${hidden}`,
    'a space in it': `1; a=b\r\na\r\n0\r\n\r\n${hidden}`, 'a tab in it': `1;\ta\r\na\r\n0\r\n\r\n${hidden}`, 'a comma before it': `1,a\r\na\r\n0\r\n\r\n${hidden}`, 'too long': `1;${'a'.repeat(1_100)}\r\na\r\n0\r\n\r\n${hidden}`,
    'too many': `${`1;${'a'.repeat(200)}\r\na\r\n`.repeat(100)}0\r\n\r\n${hidden}`, 'on the last chunk, with a bare LF': `0;\n\r\n\r\n${hidden}`, 'a LF in place of the CRLF behind the data (TERM.SPILL)': `5\r\nAAAAA\n${chunk(hidden)}0\r\n\r\n`,
    'two octets too many (SPILL.TERM)': `5\r\nAAAAAXX${chunk(hidden)}0\r\n\r\n`, 'one octet too many': `5\r\nAAAAAX\r\n${chunk(hidden)}0\r\n\r\n`, 'no line end behind the data': `5\r\nAAAAA0\r\n\r\n${hidden}`, 'a CR and another octet behind the data': `5\r\nAAAAA\rX0\r\n\r\n${hidden}`,
  }).map(([what, body]) => [what, post(chunked, body)])),
  one: {
    'a name': post(chunked, `${chunk(hidden, ';a')}0;b\r\n\r\n`), 'a value': post(chunked, `${chunk(hidden, ';a=b')}0\r\n\r\n`),
    'a quoted value with all that looks like an end': post(chunked, `${chunk(hidden, ';a="b;c=0 \\" ";d')}0\r\n\r\n`), 'a size in it': post(chunked, `${chunk(hidden, ';0')}0\r\n\r\n`),
  },
})
