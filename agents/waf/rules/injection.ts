import { input, rows, sql, text } from './rule.ts'
import type { Target } from '../engine/request.ts'

const named: readonly Target[] = [...input, 'xml']
const args: readonly Target[] = ['path', 'args', 'args-names', 'cookies', 'cookies-names', 'headers', 'user-agent', 'body', 'files']

/** Templates, look-ups, XML, directories, document stores and code of several languages. */
export const injectionRules = [
  ...rows({ category: 'template', transformations: text, targets: named }, [
    ['template-arithmetic', 'critical', 1, 'Template expression that calculates', '(?:\\{\\{|\\$\\{|#\\{|<%=|\\*\\{|@\\{|\\$\\{\\{|\\{%|\\[\\[|\\{\\{=|~\\{|@\\()\\s*[\'"]?\\d{1,8}[\'"]?\\s*[-+*/%]\\s*[\'"]?\\d{1,8}[\'"]?\\s*(?:\\}|%>|\\]|\\))'],
    ['template-python', 'critical', 1, 'Python objects in a template', '__(?:class|mro|subclasses|globals|builtins|import|init|base|bases|getattribute|getitem|self|code|dict|proto)__|\\{\\{.{0,80}?(?:\\b(?:self|config|settings)\\s*(?:\\}\\}|\\.(?:items|__|_t|from_|root|env)|\\[|\\|)|\\brequest\\s*[|\\[]|\\brequest\\.(?:application|environ|__)|\\bcycler\\b|\\bjoiner\\b|\\blipsum\\b|\\burl_for\\b|get_flashed_messages|\\bnamespace\\b|\\|\\s*attr\\b)|\\{%\\s*(?:import|debug|print)\\b|\\{%[^%]*(?:\\d\\s*[*+-]\\s*\\d|popen|system\\b|attr\\(|\\brequest\\s*\\[|\\bconfig\\b)'],
    ['template-java', 'critical', 1, 'Java objects in a template', '(?:[$#*%@~]\\{|\\{\\{|\\[\\[|<#).{0,100}?(?:\\bt\\s*\\(\\s*[\'"]?java|\\bgetclass\\b|getruntime|\\bclass\\s*\\.|\\bnew\\s+java|freemarker|\\?new\\s*\\(|processbuilder|\\bjava\\.|javax\\.|#context|#request|#session|@java|applicationscope|requestscope|_memberaccess)|freemarker\\.template\\.utility|<#assign\\b|\\$class\\.inspect|#set\\s*\\(\\s*\\$\\w+'],
    ['template-script', 'critical', 1, 'Script or PHP in a template', '\\{\\{.{0,100}?(?:constructor|_self\\.|\\bapp\\.request|\\[\\s*[\'"]id[\'"]\\s*\\]|filter\\s*\\(|map\\s*\\(|system|passthru|phpinfo|\\$on\\.|\\$eval|range\\.|require\\s*\\(|process\\.|global\\.|this\\.(?:constructor|__|push)|#with)|\\{(?:php|literal|system)\\}|\\{\\$smarty|\\{if\\s+(?:system|phpinfo|readfile|exec)|\\$\\{\\s*(?:system|exec|passthru|phpinfo|print|self\\.|require|global\\.|process\\.)|#\\{\\s*(?:system|exec|`|file\\.|io\\.|7\\*|require|global|process|root\\.)|<%=?\\s*(?:system|exec|`|file\\.|io\\.|dir\\.|require|global|process|runtime)'],
    ['template-any', 'error', 2, 'Any template expression', '\\{\\{[^{}]{1,200}\\}\\}|\\$\\{[^{}]{1,200}\\}|<%[^%]{1,200}%>|#\\{[^{}]{1,200}\\}|\\{%[^%]{1,200}%\\}']
  ]),
  ...rows({ category: 'jndi', transformations: text, targets: named }, [
    ['jndi-lookup', 'critical', 1, 'Look-up of Log4j', '\\$\\{\\s*(?:jndi|ctx|env|sys|java|lower|upper|date|main|bundle|log4j|spring|kubernetes|docker|base64|marker|map|sd|web|event|script|dns|url)\\s*:[^}]{0,200}'],
    ['jndi-nested', 'critical', 1, 'Look-up of Log4j put together from others', '\\$\\{[^}]{0,80}(?:\\$\\{|:-)[^}]{0,20}|\\$\\{::-|\\bjndi\\s*:\\s*(?:ldap|ldaps|rmi|dns|nis|iiop|corba|nds|https?)']
  ]),
  ...rows({ category: 'xxe', transformations: text, targets: [...named, 'file-content'] }, [
    ['xxe-entity', 'critical', 1, 'Entity declaration', '<!entity\\s+(?:%\\s*)?[\\w:.-]+\\s+(?:system|public|["\'])|<!doctype\\s+[\\w:.-]+[^>\\[]{0,200}\\[|<!entity\\s'],
    ['xxe-external', 'critical', 1, 'External document type or inclusion', '<!doctype\\s+[\\w:.-]+\\s+system\\s*["\']|<xi:include\\b|xmlns:xi\\s*=|<!element\\s+\\w+\\s+any|<xsl:(?:include|import|value-of|variable|stylesheet|copy-of)\\b|document\\(\\s*[\'"](?:file|http)|<xs:(?:include|import)\\b']
  ]),
  ...rows({ category: 'xxe', transformations: ['decode'], targets: ['xml'] }, [
    ['xxe-doctype', 'critical', 1, 'Document type declaration in an XML body', '<!doctype\\b'],
    ['xxe-script', 'critical', 1, 'Script element in an XML body', '<(?:\\w+:)?script[\\s>/]']
  ]),
  ...rows({ category: 'ldap', transformations: text, targets: args }, [
    ['ldap-filter', 'critical', 1, 'Part of a search filter', '\\*?\\)\\s*\\(\\s*(?:[|&!]\\s*\\(?|(?:objectclass|uid|cn|sn|mail|userpassword|samaccountname|memberof|givenname|ou|dc|description|department|homedirectory)\\s*[~<>]?=)|^\\*\\)\\s*(?:\\(|\\)|%00|&|$)|\\(\\s*[|&]\\s*\\(\\s*\\w+\\s*[~<>]?=|\\)\\(\\s*(?:\\w+=\\*|!\\()|^\\(?[|&]?\\(?objectclass\\s*=\\s*\\*|\\*\\)\\(\\w+\\s*=']
  ]),
  ...rows({ category: 'ldap', transformations: text, targets: ['args', 'cookies'] }, [
    ['ldap-xpath', 'critical', 1, 'Part of an XPath expression', '[\'"]\\s*\\]\\s*\\|\\s*//|[\'"]\\s*(?:or|and)\\s*(?:/|\\|\\s*//|[\\w-]+\\s*\\(|position\\s*\\(|count\\s*\\(|name\\s*\\(|contains\\s*\\()|\\]\\s*\\|\\s*//|//(?:user|node|\\*)(?:\\[|/)|\\bsubstring\\s*\\(\\s*(?:name|//|/\\*)|\\bcount\\s*\\(\\s*/|(?:ancestor|descendant|following|preceding|parent|child)(?:-or-self|-sibling)?::(?:node|\\*|\\w+\\()']
  ]),
  ...rows({ category: 'nosql', transformations: text, targets: args }, [
    ['nosql-operator-name', 'critical', 1, 'Operator of a document store in a name', '(?:^|[\\[.{"\'\\s,])\\$(?:where|ne|nin?|gte?|lte?|eq|regex|exists|or|and|nor|not|in|type|mod|elemmatch|all|size|expr|function|jsonschema|accumulator|lookup|merge|out|set|unset|inc|push|pull|rename|text|comment|slice|query|script)(?:\\]|["\']\\s*:|\\s*:|$)'],
    ['nosql-javascript', 'critical', 1, 'JavaScript in a query of a document store', '[\'"\\d)]\\s*(?:\\|\\||&&|;|\\+)\\s*(?:this\\.\\w+|sleep\\s*\\(|db\\.\\w+|return\\s|(?:\'?\\d\'?)\\s*={2,3}\\s*[\'\\d])|^\\s*(?:return\\s+)?this\\.\\w{1,40}\\s*(?:={2,3}|!=|\\.match\\s*\\(|\\[|\\.length)|(?:^|[\'";,(=|&+]\\s?)db\\.(?:getcollection|collection|users|\\w{1,40}\\.(?:find|insert|drop|remove|update|mapreduce|aggregate)|dropdatabase|runcommand|eval|admincommand)\\b|^\\s*function\\s*\\(\\s*\\)\\s*\\{\\s*(?:return|while|var|sleep|do)\\b|(?:^|^[\\w.-]{0,20}[\'"]?\\s*;)\\s*while\\s*\\(\\s*(?:true|1|!0|new\\s+date)\\b[^{]*\\{\\s*;?\\s*\\}|^[\\w.-]{0,20}[\'"]?\\s*;?\\s*\\breturn\\s+(?:true|1)\\s*;?\\s*(?:\\}|//|var)|^[^\'"]{0,60}[\'"];\\s*(?:return|while|sleep|var)\\b|\\bnew\\s+date\\s*\\(\\s*\\)\\s*;\\s*(?:do|while|var)|\\|\\|\\s*1\\s*={2,3}\\s*1']
  ]),
  // A tag alone says enough where no text is written: files, and headers, which end up in logs that get included.
  ...rows({ category: 'code', transformations: text, targets: ['file-content', 'files', 'headers', 'user-agent', 'cookies', 'path'] }, [
    ['code-php-tag', 'critical', 1, 'PHP tag', '<\\?(?:php\\b|=|\\s*(?:system|eval|exec|passthru|shell_exec|phpinfo|echo|include|require|assert)\\b)|<\\?\\s*\\$|\\[php\\]|<script\\s+language\\s*=\\s*["\']?php']
  ]),
  ...rows({ category: 'code', transformations: text, targets: [...named, 'file-content'] }, [
    ['code-php-tag-call', 'critical', 1, 'PHP tag with a call that runs code, reads input or files',
      '<\\?(?:php\\b|=|\\s).{0,300}?(?:\\b(?:system|eval|exec|shell_exec|passthru|popen|proc_open|assert|include|require|include_once|require_once|base64_decode|phpinfo|file_(?:get|put)_contents|fopen|fsockopen|readfile|unlink|create_function|call_user_func|preg_replace|die|move_uploaded_file|md5)\\b\\s*[(\'" ]|\\x60|\\$_?(?:get|post|request|cookie|server|files|globals)\\b|\\$\\w+\\s*\\()|<\\?=\\s*[\\x60$\\d\'"]|<script\\s+language\\s*=\\s*["\']?php'],
    ['code-php-word', 'critical', 2, 'PHP tag anywhere', '<\\?(?:php\\b|=|\\s*(?:system|eval|exec|passthru|shell_exec|phpinfo|echo|include|require|assert)\\b)|<\\?\\s*\\$|\\[php\\]|<script\\s+language\\s*=\\s*["\']?php'],
    ['code-jsp-tag', 'critical', 1, 'JSP or ASP code', '<%@\\s*(?:page|include|import|taglib|language)|<%[!=]?\\s*(?:runtime|request\\.|response\\.|execute|eval|out\\.print|new\\s|string\\s|process|server\\.|system\\.|java)|<jsp:(?:include|scriptlet|expression|usebean)|<cf(?:execute|file|include|output)\\b|<!--#\\s*(?:exec|include|echo|config|printenv|set)\\b']
  ]),
  ...rows({ category: 'code', transformations: text, targets: named }, [
    ['code-php-call', 'critical', 1, 'PHP function that runs code or reaches the system', '\\b(?:system|shell_exec|passthru|proc_open|popen|pcntl_exec|assert|create_function|call_user_func(?:_array)?|eval|exec)\\s*\\(\\s*(?:[\'"](?:[^\'"]{0,60}\\b)?(?:ls|id|cat|whoami|uname|dir|etc/|bin/|cmd|wget|curl|nc|system|phpinfo|ping|sleep)\\b|[\'"][A-Za-z0-9+/]{40,}|\\$_?(?:get|post|request|cookie|server|files|session|globals)\\b|base64_decode|gzinflate|str_rot13|chr\\s*\\(|(?:system|shell_exec|exec|passthru)\\s*\\()|\\b(?:file_(?:get|put)_contents|fopen|readfile|show_source|highlight_file|include(?:_once)?|require(?:_once)?)\\s*\\(\\s*(?:[\'"](?:/etc/|/proc/|/var/|php:|data:|ftp:|file:|(?:\\.\\./){2}|[^\'"]{0,60}/etc/passwd)|\\$_(?:get|post|request|cookie))|\\b(?:include|require)(?:_once)?\\s*\\(?\\s*[\'"](?:https?|ftp|data|php):|\\bpreg_replace\\s*\\(\\s*[\'"]/[^\'"]{0,80}/\\w*e\\w*[\'"]|\\b(?:gzinflate|gzuncompress|str_rot13)\\s*\\(\\s*(?:base64_decode|str_rot13|gzinflate)|\\bphpinfo\\s*\\(\\s*-?\\d*\\s*\\)|\\$\\{\\s*(?:@?(?:print|phpinfo|system|eval|exec))\\s*\\('],
    ['code-php-variables', 'critical', 1, 'PHP superglobals and settings', '(?:^|[^\\w\\s])\\s*(?:system|eval|exec|shell_exec|passthru|popen|assert|include|require|include_once|require_once|print_r|var_dump)\\s*[(\\s]\\s*@?\\$_(?:get|post|request|cookie|server|files|session|env)\\b|\\$_(?:get|post|request|cookie|server)\\s*\\[[^\\]]{1,40}\\]\\s*\\(|^\\s*@?\\$_(?:get|post|request|cookie|server|files|session|env)\\b|[({\\x60]\\$_(?:get|post|request|cookie)\\b[^)}]{0,40}[)}\\x60]|\\$globals\\s*\\[|\\$http_raw_post_data|\\b(?:allow_url_include|auto_prepend_file|auto_append_file|disable_functions|open_basedir|safe_mode|suhosin\\.simulation)\\s*[=+]|(?:^|[?&\\s])-d[+ ]\\w+\\.?\\w*[=+]'],
    ['code-php-object', 'critical', 1, 'Serialised PHP object', '(?:^|[;{}:])[oc]:\\+?\\d{1,4}:"[\\w\\\\]{1,80}":\\d{1,4}:\\{|(?:^|[;{}])a:\\d{1,3}:\\{(?:i|s):\\d'],
    ['code-java', 'critical', 1, 'Java classes that run code', '\\bjava\\.(?:lang\\.(?:runtime|processbuilder|class|system|thread|reflect|string)|io\\.(?:file|bufferedreader|inputstream|objectinputstream)|net\\.(?:url|socket)|util\\.(?:scanner|zip)|nio\\.file)\\b|\\bgetruntime\\s*\\(|\\bprocessbuilder\\s*\\(|\\bjavax\\.script\\.|\\bscriptenginemanager\\b|\\bforname\\s*\\(\\s*[\'"]|\\bclass\\.(?:module\\.)?classloader\\b|\\bcommons\\.collections\\.functors|\\binvokertransformer\\b|\\btemplatesimpl\\b|\\bognl\\.\\w+|#_memberaccess|@ognl\\.|\\bcom\\.sun\\.rowset|\\bbasicdatasource\\b|\\bunmarshaller\\b'],
    ['code-java-object', 'critical', 1, 'Serialised Java or .NET object', '(?:^|[^\\w+])rO0AB[A-Za-z0-9+/]|\\xac\\xed\\x00\\x05|aced0005[0-9a-f]{4}|AAEAAAD/////|H4sIAAAAAAAA[A-Za-z0-9+/]{20,}ObjectInput'],
    ['code-node', 'critical', 1, 'Node.js modules that run code', '\\brequire\\s*\\(\\s*[\'"\\x60](?:node:)?(?:child_process|vm|(?:fs|net|http|os|module|cluster|worker_threads)[\'"\\x60]\\s*\\)\\s*\\.\\s*(?:readfilesync|writefile|readdir|unlink|createserver|connect|hostname|userinfo|_load))|^\\s*require\\s*\\(\\s*[\'"\\x60](?:node:)?(?:os|net)[\'"\\x60]|\\bprocess\\s*\\.\\s*(?:mainmodule|binding|dlopen)|^\\s*process\\s*\\.\\s*(?:env|exit|argv|cwd)\\b|[\'"\\x60]child_process[\'"\\x60]|\\bchild_process\\.\\w|\\b(?:exec|spawn|execfile)sync\\s*\\(|\\bglobal(?:this)?\\s*\\.\\s*(?:process|require|constructor)|\\bimport\\s*\\(\\s*[\'"](?:child_process|fs|node:)|_\\$\\$nd_func\\$\\$_'],
    ['code-prototype', 'critical', 1, 'Prototype of an object', '__proto__|\\bconstructor\\s*(?:\\.|\\[\\s*["\']?)\\s*["\']?prototype\\b|\\bobject\\.(?:assign|defineproperty|setprototypeof)\\s*\\('],
    ['code-python', 'critical', 1, 'Python modules that run code', '\\b__import__\\s*\\(|\\bos\\s*\\.\\s*(?:system|popen|exec[lv]p?e?|spawn[lv]p?e?|listdir|environ)\\b\\s*[(\\[]|\\bsubprocess\\s*\\.\\s*(?:popen|call|run|check_output|getoutput)\\s*\\(.{0,80}?(?:shell\\s*=\\s*true|\\)\\s*[.\\[}])|^\\s*(?:import\\s+)?subprocess\\s*\\.\\s*\\w+\\s*\\(|\\b(?:exec|eval|compile)\\s*\\(\\s*(?:compile|open|__|input|base64|[\'"](?:import|__|print))|\\bpickle\\s*\\.\\s*loads|\\bcos\\nsystem|!!python/(?:object|name|module)|!!(?:javax|java|ruby)[./]|\\byaml\\.load\\s*\\('],
    ['code-ruby', 'critical', 1, 'Ruby objects that run code', '!ruby/(?:object|hash|class|struct)|\\bkernel\\.(?:exec|system|open|spawn)|\\bio\\.popen\\s*[(\'"]|%x[({\\[]\\s*\\w|\\bopen3\\.\\w+|\\berb\\.new\\b'],
    ['code-webshell', 'critical', 1, 'Names of well-known web shells', '\\b(?:c99|r57|b374k|wso|weevely|antsword|behinder|godzilla|chinachopper)(?:shell)?\\.(?:php|jsp|aspx?|txt)\\b|\\bcmd\\.(?:jsp|aspx?|php)\\b|\\bwebshell\\b']
  ]),
  ...rows({ category: 'upload', transformations: ['decode', 'removeNulls', 'normalisePath'], targets: ['files'] }, [
    ['upload-script-name', 'critical', 1, 'Upload with the name of a program', '\\.(?:php\\d?|phtml|phar|phps|pht|jspx?|jspf|jsw|aspx?|ashx|asmx|ascx|cer|asa|cfml?|cgi|shtml|htaccess|user\\.ini|war)(?:$|[.;:%\\s/\\x00])|^\\.(?:htaccess|user\\.ini)|^web\\.config$'],
    ['upload-path-name', 'critical', 1, 'Upload with a folder in its name', '(?:^|/)\\.\\.(?:/|$)|^/(?:etc|var|usr|root|tmp|home)/'],
    ['upload-program', 'error', 2, 'Upload of a program', '\\.(?:exe|dll|bat|cmd|com|scr|ps1|vbs|hta|jar|sh|py|pl|rb|elf|msi|lnk)$']
  ]),
  ...rows({ category: 'sqli', transformations: [...sql, 'base64Decode'], targets: ['args', 'cookies', 'headers'] }, [
    ['encoded-base64-attack', 'critical', 3, 'Attack hidden in base64', '<script\\b|\\bunion\\b.{0,40}\\bselect\\b|/etc/passwd|\\bor\\b\\s+\\d+\\s*=\\s*\\d|javascript:|<\\?php|\\$\\{jndi|(?:;|\\|)\\s*(?:cat|id|wget|curl|bash)\\b']
  ])
]
