// Hosts that one server takes for another one than its neighbour: routing to inner systems, poisoned caches. Kettle 2013 ("Practical HTTP Host header attacks") and 2017
// ("Cracking the lens"); Chen and others 2016 ("Host of Troubles"). RFC 9112 section 3.2.
import { hidden, lengthOf, smuggling } from '../support/smuggling.ts'

smuggling('a host', {
  refused: Object.fromEntries(Object.entries({
    'that is missing': '', 'that is there twice': 'Host: a\r\nHost: b\r\n', 'that is there twice, the same': 'Host: a\r\nhost: a\r\n', 'of nothing': 'Host:\r\n', 'in a list': 'Host: a, b\r\n', 'behind a space': 'Host: a b\r\n', 'with a user': 'Host: b@a\r\n', 'with a path': 'Host: a/b\r\n', 'with a query': 'Host: a?b\r\n',
    'with a fragment': 'Host: a#b\r\n', 'with a scheme': 'Host: http://a\r\n', 'with a port that is none': 'Host: a:b\r\n', 'with a port above all ports': 'Host: a:65536\r\n', 'with two ports': 'Host: a:80:81\r\n', 'with a port in six digits': 'Host: a:000080\r\n', 'with no port behind the colon': 'Host: a:\r\n', 'with a negative port': 'Host: a:-80\r\n',
    'with an address that is none': 'Host: [::1::2]\r\n', 'with an address of a zone': 'Host: [fe80::1%25eth0]\r\n', 'with an address without its bracket': 'Host: [::1\r\n', 'with an address without brackets': 'Host: ::1\r\n', 'with something behind an address': 'Host: [::1]x\r\n', 'with IPv4 in brackets': 'Host: [127.0.0.1]\r\n',
    'with a future address': 'Host: [v1.x]\r\n', 'with encoded characters': 'Host: %61\r\n', 'with an encoded dot': 'Host: a%2eb\r\n', 'with an empty label': 'Host: a..b\r\n', 'with an empty first label': 'Host: .a\r\n', 'of dots': 'Host: ..\r\n', 'of a dot': 'Host: .\r\n', 'with two dots behind it': 'Host: a..\r\n', 'with a backslash': 'Host: a\\b\r\n',
    'with a NUL': 'Host: a\0b\r\n', 'with a quote': 'Host: "a"\r\n', 'with a semicolon': 'Host: a;b\r\n', 'above ASCII': 'Host: \xe4\r\n', 'with an asterisk': 'Host: *.a\r\n', 'with a tab in it': 'Host: a\tb\r\n', 'with a comma behind it': 'Host: a,\r\n',
  }).map(([what, fields]) => [what, `GET / HTTP/1.1\r\n${fields}\r\n${hidden}`])),
  one: Object.fromEntries(['a.b', 'A-b_c.d', 'a.', 'a:80', 'a:0', 'a:65535', '127.0.0.1:8080', '[::1]', '[2001:db8::1]:443', 'xn--bcher-kva.test'].map((host) => [
    host, `POST / HTTP/1.1\r\nHost: ${host}\r\n${lengthOf(hidden)}\r\n${hidden}`,
  ])),
})
