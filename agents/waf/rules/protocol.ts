import { input, rows, text } from './rule.ts'
import type { CheckRule } from './rule.ts'

type CheckRow = readonly [id: string, severity: CheckRule['severity'], paranoia: 1 | 2 | 3 | 4, description: string]

const checkRows = [
  ['limit-values', 'critical', 1, 'More values than the engine inspects'],
  ['limit-bytes', 'critical', 1, 'More text than the engine inspects'],
  ['encoding-too-deep', 'critical', 1, 'Still encoded after the last round of decoding'],
  ['encoding-invalid-percent', 'notice', 1, 'Percent sign without two hexadecimal digits in a query or form'],
  ['encoding-unicode-percent', 'warning', 1, 'Percent encoding in the form %uXXXX'],
  ['body-too-large', 'critical', 1, 'Body longer than max-body-size'],
  ['body-content-encoding', 'critical', 1, 'Body compressed in a way that cannot be undone within bounds'],
  ['body-content-type-repeated', 'critical', 1, 'Several or contradictory content types'],
  ['body-content-type-missing', 'notice', 1, 'Body without a content type'],
  ['body-charset', 'critical', 1, 'Character set that cannot be read'],
  ['body-charset-unusual', 'warning', 1, 'UTF-16 or UTF-32 body'],
  ['body-json-malformed', 'notice', 1, 'Body that is not the JSON it claims to be'],
  ['body-json-repeated-name', 'warning', 1, 'Name that occurs twice in one JSON object'],
  ['body-json-bounds', 'critical', 1, 'JSON nested too deep or with too many entries'],
  ['body-multipart-malformed', 'critical', 1, 'Multipart body that readers would not agree on'],
  ['body-multipart-bounds', 'critical', 1, 'Multipart body with too many parts or too long part heads'],
  ['body-multipart-encoding', 'error', 1, 'Part with a content-transfer-encoding'],
  ['body-on-get', 'notice', 2, 'Body on GET or HEAD'],
  ['header-host-missing', 'warning', 2, 'No host'],
  ['header-agent-missing', 'notice', 2, 'No user agent'],
  ['header-accept-missing', 'notice', 3, 'No accept'],
  ['header-method-override', 'warning', 2, 'Header that asks for another method'],
  ['header-range-many', 'critical', 1, 'Range with many parts'],
  ['method-unusual', 'critical', 1, 'Method that web applications do not use']
] as const satisfies readonly CheckRow[]

/** Ids that collectors may raise. */
export type Check = typeof checkRows[number][0]

export const checkRules: readonly CheckRule[] = checkRows.map(([id, severity, paranoia, description]) =>
  ({ id, category: 'protocol', severity, paranoia, description, check: true }))

export const protocolRules = [
  ...rows({ category: 'protocol', transformations: ['decode'], targets: ['args', 'args-names', 'cookies', 'path', 'headers', 'user-agent'] }, [
    ['protocol-response-splitting', 'critical', 1, 'Header line smuggled into a value', '[\\r\\n]\\s*(?:set-cookie|location|content-(?:type|length|disposition|security-policy)|transfer-encoding|refresh|access-control-[\\w-]+|x-[\\w-]{1,40}|status|link|host|cookie)\\s*:|[\\r\\n]+\\s*http/[0-9.]+\\s+\\d{3}|^[^\\s<]{0,60}\\r\\n\\r\\n\\s*<(?:html|script|body)'],
    ['protocol-request-smuggling', 'critical', 1, 'Request line smuggled into a value', '[\\r\\n]\\s*(?:get|post|head|put|delete|options|connect|trace|patch)\\s+\\S+\\s+http/\\d']
  ]),
  ...rows({ category: 'protocol', transformations: ['decode'], targets: ['path', 'args-names', 'headers', 'user-agent', 'cookies', 'cookies-names'] }, [
    ['protocol-control-characters', 'warning', 1, 'Control characters where none belong', '[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]']
  ]),
  // Not in headers: the referer repeats the encoded line breaks of forms that were sent with GET.
  ...rows({ category: 'protocol', transformations: ['decode'], targets: ['path', 'args-names', 'cookies-names', 'user-agent'] }, [
    ['protocol-name-newline', 'critical', 1, 'Line break in a path, a name or a user agent', '[\\r\\n]']
  ]),
  ...rows({ category: 'protocol', transformations: text, targets: ['args'] }, [
    ['protocol-mail-header', 'critical', 1, 'Mail header smuggled into a form field', '^[^\\s]{0,100}[\\r\\n]+\\s*(?:bcc|mime-version|content-transfer-encoding)\\s*:\\s*\\S|^[^\\s@]{1,100}@[^\\s]{1,100}[\\r\\n]+\\s*(?:cc|to|from|reply-to)\\s*:\\s*\\S']
  ]),
  ...rows({ category: 'scanner', transformations: text, targets: ['user-agent'] }, [
    ['scanner-agent', 'critical', 1, 'User agent of an attack tool', '\\b(?:sqlmap|nikto|nessus|nmap|masscan|zgrab|acunetix|netsparker|invicti|w3af|wpscan|joomscan|dirbuster|gobuster|feroxbuster|dirsearch|wfuzz|ffuf|nuclei|openvas|arachni|skipfish|havij|jbrofuzz|whatweb|commix|xsser|zmeu|morfeus|jaeles|sqlninja|bsqlbf|absinthe|pangolin|grabber|paros|webinspect|appscan|burpcollaborator|burp ?suite|metasploit|hydra|brutus|fimap|vega/|qualys|detectify|netcraft ssl|fhscan|kiterunner|x8/|dalfox|ghauri|tplmap|interactsh)\\b']
  ]),
  ...rows({ category: 'scanner', transformations: text, targets: ['headers', 'args'] }, [
    ['scanner-probe', 'critical', 1, 'Probe text of an attack tool', '\\bacunetix[-_ ](?:product|scanning|user|wvs)|\\bnetsparker\\b|\\bappscan_|\\bnessus(?:test)?\\b|\\bsqlmap\\b.{0,40}\\b(?:test|project|dev)\\b|\\bw3af\\b|\\bxxx?_nikto|\\bnuclei-templates|\\bbxss\\.me\\b|\\bburpcollaborator\\b|\\.oast\\.\\w+|\\binteract\\.sh\\b|\\bxss\\.ht\\b']
  ]),
  ...rows({ category: 'scanner', transformations: text, targets: ['user-agent'] }, [
    ['scanner-script-agent', 'notice', 2, 'User agent of a script', '^(?:python-(?:requests|urllib)|curl/|wget/|libwww-perl|go-http-client|java/|httpclient|okhttp|scrapy|aiohttp|ruby|perl)'],
    ['scanner-short-agent', 'notice', 3, 'User agent of a few characters', '^.{0,6}$']
  ]),
  ...rows({ category: 'protocol', transformations: text, targets: input }, [
    ['protocol-many-specials', 'warning', 3, 'Run of special characters', '[\'"<>;|`$(){}\\[\\]\\\\^*!#=%&]{6,}'],
    ['protocol-any-specials', 'warning', 4, 'Many special characters', '(?:[\'"<>;|`$(){}\\[\\]\\\\^*!#=%&][^\'"<>;|`$(){}\\[\\]\\\\^*!#=%&]{0,10}){12,}']
  ])
]
