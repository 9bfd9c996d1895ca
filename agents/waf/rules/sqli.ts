import { rows, sql, sqlJoined } from './rule.ts'

const q = '[\'"\\x60]'
const logic = '(?:or|and|xor|having|\\|\\||&&)'
const compare = '(?:=|<|>|!=|\\blike\\b|\\bglob\\b|\\brlike\\b|\\bregexp\\b|\\bin\\s*\\(|\\bbetween\\b|\\bis\\s+(?:not\\s+)?null)'
const literal = '(?:[-+~]?\\d[\\w.]*|\'[^\']{0,40}\'?|"[^"]{0,40}"?|n\'[^\']{0,40}\')'

/** A plus sign stands for a blank where somebody encoded twice. */
const union = '(?:\\b|\\de\\d+)union\\b[\\s(+]*(?:(?:all|distinct|distinctrow)\\b)?[\\s(+]*\\b(?:select|values)\\b'
const columns = '(?:[\\d@\'"*(+~!.-]|null\\b|[\\w$.]+\\s*[,(]|[\\w$.]+\\s+(?:from|into|limit|where)\\b|[\\w$.]+\\s*(?:--|#|;))'
/** Behind a quote that nobody opened. */
const unopened = '^[^\'"]{0,80}[\'"]'
/** UNION SELECT that continues somebody else's query: at the start, behind an unopened quote, or with columns that only count or leak. */
const unionSelect = `^[^\\s'"]{0,80}[\\d)][\\s)]*[\\s(+]*${union}[\\s(+]*[\\w@\\x60*'"(+~!.\\[-]|^[\\w.%/-]{0,80}[\\s)]*${union}[\\s(+]*${columns}|${unopened}[^'"]{0,100}${union}|` +
  `${union}[\\s(+]*(?:(?:null|[\\d.]+|0x[0-9a-f]+|'[^']{0,20}')\\s*(?:,|--|#|$)|@@|[\\w.]+\\s*\\([^)]{0,80}\\)\\s*(?:,|--|#|$))|${union}[^;]{1,200}?(?:--[\\s+-]*|#)$`

/** Before a second statement: a short value or a quote that nobody opened. A script of statements does not begin like that. */
const second = '(?:^[\\w.@%-]{0,4}\\s*\\)*|^-?[\\d.]+\\s*\\)*|^[^\'"]{0,80}[\'"]\\s*\\)*)\\s*;\\s*'

const ddl = '(?:drop|create|alter|truncate|rename)\\s+(?:table|database|schema|view|index|user|login|procedure|function|trigger|column|role|or\\s+replace)\\b'
const dml = 'insert\\s+into\\b|delete\\s+from\\b|update\\s+[\\w.]+\\s+set\\b|replace\\s+into\\b|merge\\s+into\\b|copy\\s+[\\w(]+[^;]{0,60}\\b(?:from|to)\\b|' +
  'select\\s*(?:[*\\d@(\'"]|[\\w.]+\\s*[(,]|[\\w.]+\\s+from\\s+[\\w.]+\\s*(?:;|--|#|$|where\\b))'

/** SQL injection. Prose that merely talks SQL passes at level 1: these look for a value that leaves its literal. */
export const sqliRules = [
  ...rows({ category: 'sqli', transformations: sql }, [
    ['sqli-union-select', 'critical', 1, 'UNION SELECT with a column list', unionSelect],
    ['sqli-tautology-quoted', 'critical', 1, 'Condition on literals behind a closing quote',
      `${q}[\\s)]*${logic}[\\s(!]*(?:not\\s*\\(*\\s*)?(?:${literal})\\s*${compare}`],
    ['sqli-tautology-column', 'critical', 1, 'Condition on a column behind a closing quote, up to a quote or a comment',
      `${q}[\\s)]*(?:or|\\|\\||and|&&)\\s+[\\w.]{1,40}\\s*(?:=|!=|<>|\\blike\\b|\\bis\\b|\\bregexp\\b|\\brlike\\b)\\s*(?:${q}[^'"]*$|[^'"]{0,60}(?:--|#|/\\*)|not\\s+null|null)`],
    ['sqli-tautology-call', 'critical', 1, 'Condition on a function behind a closing quote', `${q}[\\s)]*(?:or|and|\\|\\||&&)\\s+(?:not\\s+)?\\w{1,30}\\s?\\([^()]{0,60}\\)\\s*(?:=|<|>|!=|\\blike\\b|\\bin\\b)`],
    ['sqli-tautology-number', 'critical', 1, 'Condition on numbers behind a number or an identifier',
      `^[\\s(]*-?[\\w.]{0,20}[\\s)]+(?:or|and|xor|\\|\\||&&)[\\s(!~+-]+(?:not\\s+)?(?:\\d+\\s*(?:=|<|>|!=|\\blike\\b)\\s*\\(*\\s*[\\d'"-]|'[^']{0,20}'\\s*=|"[^"]{0,20}"\\s*=)`],
    ['sqli-tautology-same', 'critical', 1, 'Comparison that is always true, with a logical operator before it',
      '(?:\\bor|\\|\\|)[\\s(]*(?:1\\s*=\\s*1|2\\s*=\\s*2|0\\s*=\\s*0|\'1\'\\s*=\\s*\'1|\'a\'\\s*=\\s*\'a|\'x\'\\s*=\\s*\'x|\'\'\\s*=\\s*\'|"1"\\s*=\\s*"1|""\\s*=\\s*"|1\\s+like\\s+1|1\\s+in\\s*\\(\\s*1)'],
    ['sqli-boolean-word', 'critical', 1, 'OR TRUE behind a literal',
      `['"][\\s)]*(?:or|and|\\|\\||&&)\\s*(?:not\\s+|!)?(?:true|false|\\d+)\\s*\\)*\\s*(?:--|#|/\\*|;|limit\\b|$)|\\)[\\s)]*(?:or|and|\\|\\||&&)\\s*(?:not\\s+|!)?(?:true\\b|false\\b|\\d+\\s*\\)*\\s*(?:--|#|/\\*))|^\\s*-?\\d+[\\s)]*(?:or|and|\\|\\||&&)\\s*(?:not\\s+|!)?(?:true|false)\\s*\\)*\\s*(?:--|#|/\\*|;|$)`],
    ['sqli-comment-after-quote', 'critical', 1, 'Comment right behind a closing quote, at the end of the value',
      `^[^'"]{0,60}['"]\\s*\\)*\\s*;?\\s*(?:--[\\s+-]*\\S{0,3}$|--$|#\\s*$|/\\*)|^[\\w@.-]{0,40}['"]\\)*\\s*(?:--[\\s-]|--$|#)`],
    ['sqli-operator-bare', 'critical', 1, 'Operator right behind a quote at the start, and a literal that the query closes',
      '^[\\w.-]{0,20}\'\\s*(?:<>|!=|<=|>=|\\^|\\*|%|/|-|\\+|\\|\\||&)\\s*(?:\\(\\s*(?:select\\b[^)]{0,80}|-?\\d{1,8})\\)\\s*[-+*^|&/]{1,2}\\s*\'|\'\\w{1,10}$)|^-?[\\d.]{1,12}[\\s)]+(?:or|and|xor|\\|\\||&&)\\s+\\w{1,20}\\(\\)\\s*[<>=]'],
    ['sqli-operator-quotes', 'critical', 1, 'Operator between two quotes that bypasses a comparison',
      `^[^'"]{0,30}'\\s*(?:=|\\+|-|\\*|\\^|&|\\||<>|!=|<|>|like|div|mod)\\s*(?:''|'\\s*'|0|1)?\\s*[-+*]?\\s*(?:'\\s*(?:$|--|#|;|or\\b|and\\b|=)|'\\s*'\\s*(?:or\\b|and\\b|\\|\\|)|[01]?\\s*(?:#|--)|0$)`],
    ['sqli-stacked-ddl', 'critical', 1, 'Second statement that changes the schema',
      `${second}(?:${ddl})|;\\s*(?:${ddl})[^;]{1,100};?\\s*(?:--[\\s+-]*|#)$`],
    ['sqli-stacked-dml', 'critical', 1, 'Second statement that reads or changes rows',
      `${second}(?:${dml})|;\\s*(?:${dml})[^;]{0,200};?\\s*(?:--[\\s+-]*|#)$`],
    ['sqli-stacked-admin', 'critical', 1, 'Second statement that runs code or stops the server',
      `${second}(?:exec(?:ute)?\\s*(?:\\(|@|xp_|sp_|master|immediate)|declare\\s+@|shutdown\\b\\s*(?:$|;|--|with)|grant\\s+\\w+|handler\\s+\\w+\\s+open|do\\s+sleep|set\\s+@|call\\s+\\w+\\s*\\(|waitfor\\b)`],
    ['sqli-quote-then-statement', 'critical', 1, 'Statement behind a closing quote',
      `^[^'"]{0,80}['"][\\s);]*\\b(?:drop\\s+table|insert\\s+into|delete\\s+from|truncate\\s+table|alter\\s+table|exec\\s+(?:xp_|sp_|master)|select\\s+(?:\\*|\\d|@|[\\w.]+\\s*\\()|union\\s+(?:all\\s+)?select)\\b?`],
    ['sqli-sleep', 'critical', 1, 'Delay function inside an expression',
      '(?:^|\\b(?:and|or|xor|select|then|else|in|by|values|like|not|when|where|having|div|mod|rlike|union)\\b|[,(=+*/|&\'"<>!-]|^[^\\s;]{0,40};)[\\s(]*sleep\\s*\\(\\s*[\'"(]*[\\d.]+[\'"]?\\s*(?:[-)*+,/]|$)|\\bsleep\\s*\\(\\s*(?:if|select|\\(\\s*select|case)\\b'],
    ['sqli-delay-functions', 'critical', 1, 'Delay functions of several servers',
      '\\bbenchmark\\s*\\(\\s*[\\d.e]+\\s*,|\\bpg_sleep(?:_for|_until)?\\s*\\(|\\bwaitfor\\s+(?:delay|time)\\s*[\'"(@n]|\\bdbms_(?:pipe|lock|session)\\s*\\.|\\brandomblob\\s*\\(\\s*\\d{6,}|\\bgenerate_series\\s*\\(\\s*1\\s*,\\s*\\d{6,}'],
    ['sqli-schema-tables', 'critical', 1, 'Reading the catalogue',
      '\\bfrom[\\s(\\x60"\\[]+(?:information_schema|pg_catalog|sqlite_master|sqlite_schema|sys(?:objects|columns|databases|users)|sys\\.|master\\.\\.|mysql\\.(?:user|db|innodb)|pg_(?:tables|shadow|user|class|authid)|all_(?:tables|users|tab_columns)|user_(?:tables|tab_columns)|v\\$(?:version|database)|dual\\b\\s*(?:--|#|$|where))'],
    ['sqli-schema-names', 'error', 1, 'Names of catalogue tables',
      '\\binformation_schema\\s*[.\\x60]|\\bsqlite_master\\b|\\bpg_catalog\\s*\\.|\\bmsysaccessobjects\\b|@@(?:version|datadir|hostname|basedir|servername|global|innodb)\\w*'],
    ['sqli-file-access', 'critical', 1, 'Reading or writing files from SQL',
      '\\binto\\s+(?:out|dump)file\\s*[\'"\\x60(@0]|\\bload_file\\s*\\(|\\bload\\s+data\\s+(?:low_priority\\s+|concurrent\\s+)?(?:local\\s+)?infile\\b|\\bpg_read_file\\s*\\(|\\blo_import\\s*\\(|\\bto\\s+program\\s*[\'"]|\\bfrom\\s+program\\s*[\'"]'],
    ['sqli-mssql-procedures', 'critical', 1, 'Stored procedures that reach the system',
      '\\bxp_(?:cmdshell|regread|regwrite|dirtree|fileexist|servicecontrol|loginconfig|subdirs)\\b|\\bsp_(?:oacreate|oamethod|executesql|configure|makewebtask|addextendedproc|password)\\b|\\bopen(?:rowset|datasource|query)\\s*\\('],
    ['sqli-oracle-packages', 'critical', 1, 'Oracle packages used to leak data',
      '\\butl_(?:http|inaddr|smtp|file|tcp)\\s*\\.|\\bctxsys\\.drithsx|\\bdbms_(?:xmlgen|java|scheduler|export_extension|ldap)\\s*\\.|\\bextractvalue\\s*\\(\\s*xmltype'],
    ['sqli-error-functions', 'critical', 1, 'Functions that leak data in error messages',
      '\\b(?:extractvalue|updatexml)\\s*\\(\\s*[\\w\'"(]+\\s*,|\\bexp\\s*\\(\\s*~|\\bfloor\\s*\\(\\s*rand\\s*\\(|\\bname_const\\s*\\(|\\bgtid_subset\\s*\\(|\\bjson_keys\\s*\\(\\s*\\(|\\bst_latfromgeohash\\s*\\(|\\bprocedure\\s+analyse\\s*\\('],
    ['sqli-char-building', 'critical', 1, 'Strings built from codes to avoid quotes',
      '\\bn?char\\s*\\(\\s*(?:0x)?[\\da-f]+\\s*(?:,\\s*(?:0x)?[\\da-f]+\\s*){2,}\\)|\\b(?:chr|n?char)\\s*\\(\\s*\\d+\\s*\\)\\s*(?:\\|\\||\\+|,|&)\\s*(?:chr|n?char)\\s*\\(|\\bunhex\\s*\\(\\s*[\'"(h]|\\bchar\\s*\\(\\s*0x'],
    ['sqli-concat', 'critical', 1, 'Concatenation of catalogue values',
      '\\b(?:group_)?concat(?:_ws)?\\s*\\(.{0,60}?(?:0x[0-9a-f]{2}|\\bchar\\s*\\(|\\bselect\\b|\\b(?:version|database|user|current_user|schema)\\s*\\(|@@|\\btable_name\\b|\\bcolumn_name\\b|\\bpassword\\b)|\\bgroup_concat\\s*\\('],
    ['sqli-subselect', 'critical', 1, 'Subselect as an operand',
      '(?:^[\\s(]*(?:[^\\s\'"]{0,60}[\\s)]+)?|^[^\\s\'"]{0,60}|^[^\'"]{0,60}[\'"][^\'"]{0,80}?)(?:\\b(?:and|or|xor|not|like|in|exists|having|case|rlike|order\\s+by)|[=<>,+*/|&(!~^-])[^\'"]{0,60}?\\(\\s*select\\b\\s*(?:[\\w@*(\'"])|\\(\\s*select\\b.{1,200}?(?:--[\\s+-]*|#)\\s*$|[=<>,+*/|&(!~-]\\s*\\(\\s*select\\b\\s*(?:[\\d@\'"(]|top\\s+\\d|case\\s)'],
    ['sqli-blind-function', 'critical', 1, 'String functions compared bit by bit',
      '(?:\\b(?:and|or|xor|not|where|having|when)\\b|[\'"=<>(,|&^!+-])[\\s(!~]*(?:(?:ascii|ord|bin|hex|length|char_length|octet_length|lower|upper|unicode)\\s*\\(\\s*(?:\\(|substr|substring|mid|left|right|database|user|version|current_user|select|@@|password)|' +
      '(?:substr|substring|mid|left|right)\\s*\\(\\s*(?:\\(|@@|(?:database|user|version|current_user|current_database|session_user|system_user)\\s*\\(|\\(?select\\b|password\\b|[\'"]))'],
    ['sqli-blind-if', 'critical', 1, 'Conditional expression used as an oracle',
      '\\bif\\s*\\(\\s*(?:\\d+\\s*(?:=|<|>)\\s*\\d+|\\(?\\s*select\\b|[a-z_]+\\s*\\(.{0,60}?\\)\\s*(?:=|<|>|like)).{0,120}?,|\\bcase\\s+when\\b[\\s(]*(?:\\d+\\s*[=<>]|\'[^\']{0,10}\'\\s*=|select\\b|(?:ascii|ord|substr|substring|mid|length|user|version|database)\\s*\\().{1,120}?\\bthen\\b.{1,80}?\\b(?:else|end)\\b|\\biif\\s*\\(\\s*\\d+\\s*=|\\bmake_set\\s*\\(|\\belt\\s*\\(\\s*\\d'],
    ['sqli-current-functions', 'critical', 1, 'Server functions compared or selected behind a literal',
      `(?:${q}|\\d|\\))[\\s)]*(?:${logic}|[=,+]|\\|\\|)\\s*\\(*\\s*(?:database|version|user|current_user|session_user|system_user|schema|current_database|db_name|user_name|suser_name|host_name|connection_id|last_insert_id|row_count)\\s*\\(\\s*\\d*\\s*\\)`],
    ['sqli-order-by-number', 'critical', 1, 'ORDER BY a column number, to count columns',
      '^[^\\n]{0,60}[\'")\\d]\\s*\\b(?:order|group)\\s+by\\s+\\(*\\s*\\d+(?:\\s*,\\s*\\d+)*\\s*(?:--|#|/\\*|;|$)'],
    ['sqli-having-limit', 'critical', 1, 'HAVING on numbers, LIMIT with INTO, OFFSET tricks',
      '\\bhaving\\s+\\(*\\s*(?:\\d+|\'[^\']*\')\\s*(?:=|<|>)|\\blimit\\s+\\d+\\s*(?:,\\s*\\d+)?\\s*(?:into|union|procedure)\\b'],
    ['sqli-cast-error', 'critical', 1, 'Cast of a query result to provoke an error',
      '\\b(?:convert\\s*\\(\\s*(?:int|integer|signed|unsigned|numeric|char)\\s*,\\s*[(@\\w]|cast\\s*\\(\\s*(?:\\(|[\\w@]+\\s*\\(|@@).{0,100}?\\bas\\s+(?:int|integer|signed|unsigned|numeric|char|varchar|nvarchar|date)\\b)'],
    ['sqli-string-append', 'critical', 1, 'Query parts glued to a closing quote',
      `'\\s*(?:\\|\\||\\+|&)\\s*\\(*\\s*(?:select\\b|n?char\\s*\\(|chr\\s*\\(|(?:user|version|database|sleep|pg_sleep|utl_\\w+)\\b\\s*[(.]|case\\s+when|0x[0-9a-f]{4,}|cast\\s*\\()|'\\s+(?:r?like|regexp|in|between|is)\\s*\\(*\\s*(?:select|'%|null|sleep|updatexml|extractvalue|elt)`],
    ['sqli-conditional-comment', 'critical', 1, 'Conditional comment of MySQL that hides keywords', '/\\*m?!\\d{0,6}\\s*[a-z(]'],
    ['sqli-comment-glue', 'critical', 1, 'Comment in place of a blank between keywords',
      '\\b(?:union|select|from|where|and|or|order|group|insert|update|delete|drop|having|like|all|into)(?:/\\*[^*]{0,60}\\*+/)+[\\s(]*[\\w\'"@(*]'],
    ['sqli-newline-comment', 'critical', 1, 'Line comment in place of a blank between keywords',
      '\\b(?:union|select|from|where|order|group|insert|delete|drop|having|and|or)(?:\\s*(?:--[^\\n]{0,60}|#[^\\n]{0,60})\\n)+\\s*(?:select|all|distinct|from|where|by|into|table|[\\d\'"(*])'],
    ['sqli-select-star-injected', 'critical', 1, 'SELECT of columns behind a literal that was closed',
      `^[\\w.-]{0,30}(?:${q}|\\))[\\s);]*(?:and|or|union|where|in|=|;|,|\\()?\\s*\\(*\\s*select\\b.{1,200}?\\bfrom\\b`],
    ['sqli-insert-values', 'critical', 1, 'New row smuggled into a VALUES list', `${q}\\s*\\)\\s*,\\s*\\(\\s*(?:${q}|\\d+\\s*,|\\(\\s*select\\b|null\\b)|\\bon\\s+duplicate\\s+key\\s+update\\b`],
    ['sqli-select-from', 'critical', 2, 'SELECT … FROM anywhere', '\\bselect\\b.{1,200}?\\bfrom\\b\\s*[\\w(\\x60"\\[]'],
    ['sqli-statements', 'error', 2, 'Whole statements anywhere',
      '\\b(?:insert\\s+into\\s+[\\w.]+\\s*(?:\\(|values|select)|delete\\s+from\\s+[\\w.]+|update\\s+[\\w.]+\\s+set\\s+[\\w.]+\\s*=|(?:drop|alter|create|truncate)\\s+(?:table|database|view|index)\\b)'],
    ['sqli-hex-literal', 'error', 2, 'Hexadecimal string literal', '(?:^|[\\s=(,])0x(?:[0-9a-f]{2}){4,}\\b'],
    ['sqli-quote-logic', 'error', 2, 'Quote followed by a logical operator', `${q}\\s*\\)*\\s*(?:\\b(?:or|and|xor|not|having|div)\\b|\\|\\||&&)`],
    ['sqli-keyword-pairs', 'warning', 3, 'Two keywords of SQL in one value', '\\b(?:select|insert|update|delete|drop|union)\\b.{0,100}?\\b(?:from|into|set|table|where|all|values)\\b'],
    ['sqli-quote-any', 'warning', 4, 'Quote in a value', `${q}`]
  ]),
  // `Accept: image/*` ends like a comment.
  ...rows({ category: 'sqli', transformations: sql, targets: ['args', 'args-names', 'cookies', 'path'] }, [
    ['sqli-comment-end', 'error', 2, 'Comment at the end of a value', '(?:--[\\s-]*|#|/\\*)\\s*$']
  ]),
  ...rows({ category: 'sqli', transformations: sqlJoined }, [
    ['sqli-union-select-split', 'critical', 1, 'UNION SELECT with comments inside its words', unionSelect + '|\\bunion(?:all|distinct)?select'],
    ['sqli-tautology-split', 'critical', 1, 'Tautology with comments inside its words', `${q}[\\s)]*(?:or|and|\\|\\||&&)\\s*\\(*\\s*(?:\\d+|'[^']{0,20}'|"[^"]{0,20}")\\s*(?:=|like)`],
    ['sqli-function-split', 'critical', 1, 'Function name with comments inside', '(?:[\'"=,(|&+*-]|\\b(?:and|or|xor|select|where|when|then)\\b)[\\s(]*sleep\\s*\\(\\s*[\'"(]*\\d+\\s*(?:[-)*+,/]|$)|\\b(?:benchmark|pg_sleep|extractvalue|updatexml|load_file|group_concat)\\s*\\(\\s*[\\d\'"(/]']
  ].map((row) => row as [string, 'critical', 1, string, string]))
]
