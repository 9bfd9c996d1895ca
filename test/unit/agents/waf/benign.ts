/** Values that real people and programs send and that only resemble attacks. Every one must pass at paranoia level 1. */
export const benign: readonly string[] = [
  // names and prose
  "O'Brien", "D'Angelo", "L'Oréal", "O'Neill & Sons", "Conan O'Brien's show", 'select a plan', '<3', 'I <3 you', 'C++ & Java', 'Tom & Jerry; see you', '1 < 2 and 3 > 2',
  "rock'n'roll", "rock 'n' roll", "it's 5 o'clock -- maybe", "that's what she said", "don't or can't", "it's or its?", "the '90s and the '80s", "'twas the night", "'em or us",
  'please select one from the menu where you drop by and update us', 'drop-off table', 'order by phone', 'order by 5 pm', 'group by age', 'union of workers', 'the union select committee met',
  'Select all that apply from the list', 'insert coin into slot', 'delete from my list please', 'update your settings', 'Where is the table?', 'having 2 kids', 'create table reservations for four',
  'grant access to Anna', 'execute the plan', 'drop me a line', 'alter ego', 'Truncate the text after 40 characters', 'null and void', 'true or false', 'yes or no', '1 or 2 people', 'one and 1/2 cups',
  '5 and 6', '2+2=4', 'a = b and c = d', 'x or y', 'E=mc2', 'between 5 and 10 o\'clock', 'like a rolling stone', 'sleep well (8 hours)', 'sleep (at least 8 hours)', 'benchmark results (2024)',
  'wait for delay at the gate', 'cast of characters', 'convert (and save)', 'count (approx.)', 'left (or right)', 'and if (only if) it rains', 'char broiled', 'substring search', 'the load file was lost',
  'Who is online?', 'the cat sat; the dog ran', 'dog & cat', 'cats & dogs & more', 'Bash & Shell', 'PHP | Python | Ruby', 'name | id | email', 'a|b|c', 'read & more', 'ping me | call me', 'curl hair & wash',
  'Find the host; type your name', 'ls is a command', 'I use cat; nothing else', 'kill time & sleep late', 'sort by name; date', 'net result; more later', 'date; time; host', 'echo chamber & co', 'head & shoulders', 'Black & White', 'R&D', 'AT&T', 'B&B; breakfast only',
  'rm is short for remove', 'set the table; start dinner', 'Use `npm install` and then `const x = 1`', 'The `id` column holds the key', 'call `foo(bar)` or `baz`', '```js\nconst a = 1\n```', 'run `whoami` to see who you are', '**bold** _it_ `code`',
  '# Heading\n\n- item one\n- item two', '> quoted\n> text', '[link](https://example.com/page?x=1)', '| a | b |\n| --- | --- |\n| 1 | 2 |', '1. first\n2. second; third', '~~gone~~ -- dash',
  // addresses, ids, codes
  'https://example.com/a?b=c&d=e', 'https://example.com/', 'http://localhost:3000/callback', 'http://127.0.0.1:8080/oauth/callback', 'https://sub.example.co.uk:8443/path/to/page.html?x=1#frag', 'https://example.com/search?q=select+a+plan&page=2',
  'mailto:anna@example.com', 'tel:+49-30-123456', 'ftp server', 'anna.mueller+news@example.com', '"Anna Müller" <anna@example.com>', 'user@host', '550e8400-e29b-41d4-a716-446655440000', '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c',
  'iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==', 'SGVsbG8sIHdvcmxkISBUaGlzIGlzIGZpbmUu', 'data:image/png;base64,iVBORw0KGgo=',
  'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'W/"67ab43", "54ed21"', 'd41d8cd98f00b204e9800998ecf8427e', '0xdeadbeef', '#ff8800', '#1 fan', 'item #5', '10.0.0.5', '192.168.1.1', '2001:db8::1', '+1 (555) 010-9999', '2024-01-31T12:00:00Z', '12:30', '1e10', '-5', '0', '1,000.50', '50% off', '100%', '5%', '$5.00 (10% off)', '€ 12,50', '£5 & up', '$HOME', '$5', '${amount} due',
  'price: $5.00; was $7.00', '(a) or (b)', '[x] done', '{curly}', 'f(x) = x^2', 'a*b*c', '5 * (3 + 2)', '3 > 2', 'x <= y', 'a != b', 'if x > 5 then y', 'i++; j--', 'A -> B', '<- back', '=> arrow', ':-)', ';-)', '>:(', '<>', '... and so on ...', 'wait..', 'v1..v2', '..hidden', 'a/b.c', './a', 'file..name.txt', 'report (final).pdf', 'C:\\Users\\Anna\\Documents', 'etc.', 'and/or', 'etc/ and so on', 'his/her', 'n/a', '24/7', '1/2', 'src/**/*.ts', '**/*.js', '*.example.com', '/* note */', '// comment', '-- Anna', '--', '# todo', 'a -- b', 'Kind regards,\r\n-- \r\nAnna',
  // languages
  'Grüße aus Köln, schöne Straße', 'Wählen Sie eine Tabelle aus', 'Où est l\'hôtel ? C\'est à côté', 'l\'été, l\'or et l\'argent', 'aujourd\'hui ou demain', 'À la carte', 'Ça va ? « Oui »', '你好,世界', '选择一个计划', 'こんにちは世界', 'Привет, мир', 'مرحبا بالعالم', 'שלום עולם', 'สวัสดีชาวโลก', '안녕하세요', '😀🎉👍🏽', 'Ｆｕｌｌｗｉｄｔｈ　ｔｅｘｔ', 'naïve café', '“It’s fine”, she said', '‘quoted’ – dash — em', 'ﬁne ligature', 'x² + y³', '½ cup', '™ ® ©', 'Ελλάδα', 'Łódź', 'Nguyễn',
  // code talk and markup
  'JavaScript: The Good Parts', 'javascript: the language', 'Java; Script', 'The script was great', 'on click = nothing', 'onboarding=true', 'one=1', 'style guide', 'alert the team', 'the onload event', '<b>bold</b> and <i>italic</i>', '<p>Hello <a href="https://example.com">world</a></p>', '<img src="/a.png" alt="A cat">', '<br/>', '<ul><li>one</li></ul>', 'a<b', 'List<String>', 'Map<String, Integer>', 'vector<int> v', '#include <stdio.h>', 'std::cout << "hi"', 'x = y ? 1 : 2', 'git commit -m "fix"', 'npm run build', 'docker compose up', 'SELECT is a keyword of SQL', 'How do I write SELECT * FROM users in SQL?', 'Use SELECT name FROM cities ORDER BY name to sort.', 'An INNER JOIN combines rows from two tables', 'the function sleep() pauses', 'GET /index.html', 'HTTP/1.1 is old', 'Content-Type is a header', '{"a":1}', '{"query":"select a plan"}', '[1,2,3]', 'key=value', 'a=1&b=2', 'k1:v1;k2:v2', 'a;b;c', 'q=0.9', 'en-US,en;q=0.9,de;q=0.8',
  'query { user(id: "1") { name posts(first: 10) { title } } }', 'mutation AddUser($input: UserInput!) { addUser(input: $input) { id } }', 'fragment F on User { id name }', 'Dear {{name}}, welcome', 'Hello {first_name}', '%s items', '%d of %d', '100%25', 'a%20b', '&amp; &lt;b&gt;', '&copy; 2024', 'AT&amp;T', '\\o/', '¯\\_(ツ)_/¯', 'a\\b', '\\n', 'line one\nline two\nline three', 'tab\tseparated', 'C# & F#', '.NET', 'Node.js', 'project = "X" and status = "Open"', "name eq 'Anna' and price lt 5", 'author:anna "exact phrase" -draft', 'foo AND (bar OR baz)', 'title:(go OR rust)', 'sort=-created,name', 'fields[user]=name', 'constructor', 'prototype design', 'class=main', 'id=5', 'process the order', 'require a signature', 'system check', 'exec summary', 'include tax', 'eval period', 'import (goods)', 'return this item', 'this.is.a.sentence'
]

/** Paths of ordinary sites. */
export const benignPaths: readonly string[] = [
  '/', '/index.html', '/union/select-committee', '/api/v1/users/42', '/a/b.c', '/v1..v2', '/..hidden', '/files/report%20(final).pdf', '/wiki/C%2B%2B', '/wiki/O%27Brien', '/search/select%20a%20plan', '/static/js/main.3f2a.chunk.js', '/static/app.css?v=3',
  '/@scope/package', '/~anna/', '/.well-known/acme-challenge/abc', '/users/anna@example.com', '/caf%C3%A9', '/%E4%BD%A0%E5%A5%BD', '/tags/c%23', '/blog/2024/01/drop-off-table', '/orders;jsessionid=1A2B3C', '/maps/@52.5,13.4,12z', '/a+b', '/compare/main...feature', '/environment', '/etc', '/admin/group/5', '/docs/proc/self-help', '/img/logo@2x.png', '/graphql', '/order/by/phone', '/%F0%9F%98%80'
]

const chrome = [
  ['Host', 'shop.example.com'], ['Connection', 'keep-alive'], ['Cache-Control', 'max-age=0'],
  ['sec-ch-ua', '"Not_A Brand";v="8", "Chromium";v="120", "Google Chrome";v="120"'], ['sec-ch-ua-mobile', '?0'], ['sec-ch-ua-platform', '"Windows"'],
  ['Upgrade-Insecure-Requests', '1'], ['User-Agent', 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7'],
  ['Sec-Fetch-Site', 'same-origin'], ['Sec-Fetch-Mode', 'navigate'], ['Sec-Fetch-User', '?1'], ['Sec-Fetch-Dest', 'document'], ['Referer', 'https://shop.example.com/search?q=select+a+plan&sort=price&cat=5&id=7'],
  ['Accept-Encoding', 'gzip, deflate, br'], ['Accept-Language', 'en-US,en;q=0.9,de-DE;q=0.8,de;q=0.7'], ['If-None-Match', 'W/"5f-18c2a"'], ['If-Modified-Since', 'Tue, 02 Jan 2024 10:00:00 GMT'],
  ['Cookie', '_ga=GA1.2.1234567890.1700000000; _gid=GA1.2.987654321.1700000001; session=s%3AabcDEF123456.qwertyUIOP%2BasdfGHJKL%2Fzxcv; theme=dark; consent={%22ads%22:false%2C%22stats%22:true}; id=42; opaque=' + 'aZ09_-'.repeat(200)]
] as const

const firefox = [
  ['Host', 'example.com'], ['User-Agent', 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0'], ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
  ['Accept-Language', 'fr,fr-FR;q=0.8,en-US;q=0.5,en;q=0.3'], ['Accept-Encoding', 'gzip, deflate, br'], ['DNT', '1'], ['Connection', 'keep-alive'], ['Cookie', 'PHPSESSID=8f7d6a5b4c3d2e1f; lang=fr; _fbp=fb.1.1700000000000.123456789'],
  ['Upgrade-Insecure-Requests', '1'], ['Sec-Fetch-Dest', 'document'], ['Sec-Fetch-Mode', 'navigate'], ['Sec-Fetch-Site', 'none'], ['TE', 'trailers'], ['Priority', 'u=1, i'], ['Range', 'bytes=0-1023']
] as const

const safari = [
  ['Host', 'example.com'], ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'], ['User-Agent', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15'],
  ['Accept-Language', 'de-DE,de;q=0.9'], ['Accept-Encoding', 'gzip, deflate, br'], ['Connection', 'keep-alive'], ['Origin', 'https://example.com'], ['X-Requested-With', 'XMLHttpRequest'],
  ['Authorization', 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIn0.c2lnbmF0dXJl'], ['traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'], ['X-Forwarded-For', '203.0.113.7'], ['Forwarded', 'for=203.0.113.7;proto=https;host=example.com']
] as const

const app = [
  ['Host', 'api.example.com'], ['User-Agent', 'ExampleApp/5.2.1 (iPhone; iOS 17.2; Scale/3.00)'], ['Accept', 'application/json, text/plain, */*'], ['Accept-Language', 'en-GB;q=1.0, fr-GB;q=0.9'], ['X-Api-Key', 'k_live_51H8x0aBcDeFgHiJ'],
  ['X-Device', 'iPhone14,5; 64-bit'], ['Content-Type', 'application/json; charset=utf-8'], ['Authorization', 'Basic YW5uYTpwYXNzd29yZA=='], ['Baggage', 'userId=alice,serverNode=DF%2028,isProduction=false'], ['Sentry-Trace', '771a43a4192642f0b136d5159a501700-7af0c4bd-1']
] as const

/** Whole header sets. */
export const browsers: Readonly<Record<string, readonly (readonly [string, string])[]>> = { chrome, firefox, safari, app }

/** A blog text as people post it. */
export const blogText = `How I moved our shop to a new database

Last week we had to select a plan for the new server. Tom & I sat down at 5 o'clock -- with coffee, of course -- and drew a table
on the whiteboard: who drops what, where the updates come from, and what to do when the union of two lists isn't sorted.

First, "backups": we don't trust a copy that nobody has restored (and you shouldn't either). Then the menu; it's 30% smaller now,
loads in < 2 s and costs $5.00 less per month. Questions? Mail me: anna@example.com or see https://example.com/blog?page=2&sort=new

* "It's fast", said O'Brien; "really fast!"
* 1 < 2 and 3 > 2, as they say
* C++ & Java people will like \`std::map\` more

Grüße, Anna <3`
