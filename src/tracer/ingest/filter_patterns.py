"""What browser extensions, crawlers and health checks look like, from what is publicly known.

Data only: `ingest.filters` decides by it. Patterns are ours and linear in the length of the text.
"""

from __future__ import annotations

import re

#: The beginnings of a script's address inside an extension.
EXTENSION_SCHEMES = (
    "chrome-extension:",
    "moz-extension:",
    "safari-extension:",
    "safari-web-extension:",
    "ms-browser-extension:",
    "edge-extension:",
    "chrome://",
    "resource://",
    "webkit-masked-url:",
    "user-script:",
)

#: Parts of messages that only scripts of extensions, wallets and in-app browsers cause.
EXTENSION_MESSAGES = re.compile(
    "|".join(
        re.escape(text)
        for text in (
            # APIs that pages do not have
            "Extension context invalidated",
            "Could not establish connection. Receiving end does not exist",
            "The message port closed before a response was received",
            "runtime.sendMessage",
            "runtime.lastError",
            "A listener indicated an asynchronous response by returning true",
            "chrome.runtime",
            "browser.runtime",
            # Wallets
            "Failed to connect to MetaMask",
            "MetaMask: ",
            "Cannot redefine property: ethereum",
            "Cannot set property ethereum of",
            "window.ethereum",
            "solana.isPhantom",
            # What in-app browsers and mobile browsers put into pages
            "__gCrWeb",
            "_AutofillCallbackHandler",
            "__firefox__",
            "instantSearchSDKJSBridgeClearHighlight",
            "webkit.messageHandlers",
            "vid_mate_check",
            "jsbridge is not defined",
            "zaloJSV2",
            "SymBrowser_ModifyAnchorTagsWithTarget",
            # Toolbars, translators, page scanners
            "ZiteReader",
            "conduitPage",
            "EBCallBackMessageReceived",
            "MyApp_RemoveAllHighlights",
            "atomicFindClose",
            "originalCreateNotification",
            "ComboSearch is not defined",
            "Object Not Found Matching Id:",
        )
    ),
    re.IGNORECASE,
)

#: User agents of crawlers: known ones by name, then what calls itself a bot, crawler or spider.
#: "Cubot" is a phone.
CRAWLERS = re.compile(
    r"googlebot|google-inspectiontool|mediapartners-google|adsbot-google|apis-google"
    r"|feedfetcher-google|google-read-aloud|google-safety|googleother|storebot-google"
    r"|bingpreview|slurp|duckduckgo-favicons|baiduspider|sogou|exabot|ia_archiver"
    r"|facebookexternalhit|facebookcatalog|meta-externalagent|whatsapp/|telegrambot|skypeuripreview"
    r"|pinterest/|embedly|quora link preview|outbrain|vkshare|w3c_validator|nuzzel|bitlybot"
    r"|gptbot|chatgpt-user|oai-searchbot|claudebot|anthropic-ai|perplexity|bytespider|ccbot"
    r"|google-extended|cohere-ai|diffbot|amazonbot|applebot|petalbot|yandex(?:bot|images|metrika)"
    r"|ahrefs|semrush|mj12|dotbot|screaming frog|sitebulb|rogerbot|serpstat|barkrowler|dataforseo"
    r"|lighthouse|gtmetrix|ptst/|speedcurve|prerender|rendertron|heritrix|nutch|scrapy|phantomjs"
    r"|censys|zgrab|masscan|nmap|expanse|internetmeasurement|netcraft"
    r"|(?<!cu)bot(?:[\s/;:,)_-]|\Z)|crawl(?:er|ing)?(?:[\s/;:,)_-]|\Z)|spider(?:[\s/;:,)_-]|\Z)",
    re.IGNORECASE,
)

#: User agents that ask whether a server is up.
PROBES = re.compile(
    r"kube-probe|elb-healthchecker|googlehc|google-cloud-health|consul health check"
    r"|azure traffic manager|alwayson|envoy/hc|haproxy|healthchecks?[./ ]|uptimerobot|pingdom"
    r"|statuscake|better ?uptime|betterstack|site24x7|newrelicpinger|datadogsynthetics|updown\.io"
    r"|freshping|uptime-kuma|blackbox[- _]exporter|nagios|check_http|zabbix|monit/",
    re.IGNORECASE,
)

#: Paths that are asked whether a server is up. The short words only where they are the whole path.
PROBE_PATHS = re.compile(
    r"(?:.*/)?_*(?:healthz|livez|readyz|startupz|health[-_]?checks?|heartbeat|liveness|readiness"
    r"|health(?:/(?:live|ready|liveness|readiness|check|status))?)/?"
    r"|/(?:ping|up|ready|live|alive)/?",
    re.IGNORECASE,
)
