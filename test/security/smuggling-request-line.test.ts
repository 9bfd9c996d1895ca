// Request lines that two servers take apart in two ways, and versions with other rules. Jabiyev and others 2021 (T-Reqs); Kettle 2021 ("HTTP/2: The Sequel is
// Always Worse"); Gil 2017; CVE-2022-26377, CVE-2023-25690 (Apache mod_proxy). RFC 9112 section 3.
import { hidden, lengthOf, post, smuggling } from '../support/smuggling.ts'

smuggling('a request line', {
  refused: Object.fromEntries(Object.entries({
    'of HTTP/0.9': 'GET /', 'of HTTP/0.9 with a space': 'GET / ', 'of HTTP/1.2': 'GET / HTTP/1.2', 'of HTTP/2.0': 'GET / HTTP/2.0', 'of HTTP/1.10': 'GET / HTTP/1.10', 'of HTTP/01.1': 'GET / HTTP/01.1', 'of HTTP/1': 'GET / HTTP/1', 'of http/1.1': 'GET / http/1.1', 'of HTTP /1.1': 'GET / HTTP /1.1',
    'of ICY': 'GET / ICY/1.1', 'with something behind the version': 'GET / HTTP/1.1x', 'with a space behind the version': 'GET / HTTP/1.1 ', 'with two versions': 'GET / HTTP/1.1 HTTP/1.1', 'with two spaces': 'GET  / HTTP/1.1', 'with two spaces before the version': 'GET /  HTTP/1.1', 'with a tab': 'GET\t/ HTTP/1.1',
    'with a tab before the version': 'GET /\tHTTP/1.1', 'behind a space': ' GET / HTTP/1.1', 'with a space in the target': 'GET /a b HTTP/1.1', 'with a tab in the target': 'GET /a\tb HTTP/1.1', 'with a NUL in the target': 'GET /\0 HTTP/1.1', 'with an octet above ASCII in the target': 'GET /\xff HTTP/1.1',
    'with a vertical tab': 'GET\x0b/ HTTP/1.1', 'with a line end in the target': 'GET /\n HTTP/1.1', 'with a CR in the target': 'GET /\rx HTTP/1.1', 'with a fragment': 'GET /a#b HTTP/1.1', 'without a slash': 'GET a HTTP/1.1', 'with a query alone': 'GET ?a HTTP/1.1', 'with a backslash first': 'GET \\a HTTP/1.1',
    'with an asterisk': 'GET * HTTP/1.1', 'with an asterisk and a query': 'OPTIONS *?a HTTP/1.1', 'with an asterisk and a path': 'OPTIONS */a HTTP/1.1', 'with an authority': 'GET a:80 HTTP/1.1', 'with another scheme than the listener': 'GET https://a/ HTTP/1.1', 'with an unknown scheme': 'GET ftp://a/ HTTP/1.1',
    'with a scheme and no host': 'GET http:///a HTTP/1.1', 'with a scheme and one slash': 'GET http:/a HTTP/1.1', 'with a user': 'GET http://user@a/ HTTP/1.1', 'with a user and a password': 'GET http://b:80@a/ HTTP/1.1', 'with a port and no host': 'GET http://:80/ HTTP/1.1', 'with a backslash in the host': 'GET http://a\\b/ HTTP/1.1',
    'with an encoded host': 'GET http://a%2eb/ HTTP/1.1', 'with a fragment behind a host': 'GET http://a#/ HTTP/1.1', 'of small letters': 'get / HTTP/1.1', 'of mixed letters': 'Get / HTTP/1.1', 'without a method': '/ HTTP/1.1', 'of a digit': '1GET / HTTP/1.1', 'of a method that is no token': 'G(T / HTTP/1.1', 'of a method without end': `${'G'.repeat(33)} / HTTP/1.1`,
    'of the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM',
  }).map(([what, line]) => [what, `${line}\r\nHost: a\r\n\r\n${hidden}`])),
  one: {
    'in absolute form, with another Host': `POST http://b/ HTTP/1.1\r\nHost: a\r\n${lengthOf(hidden)}\r\n${hidden}`,
    'in absolute form, in capital letters': `POST HTTP://B/x HTTP/1.1\r\nHost: a\r\n${lengthOf(hidden)}\r\n${hidden}`,
    'with two slashes first': post(lengthOf(hidden), hidden, '//b/c'),
    'with all that may stand in it': post(lengthOf(hidden), hidden, "/a\"<>[]^`{|}~!$&'()*+,;=:@%0d%0a%20%00?x?y"),
  },
})
