// Behaviour that pages share. Every module works by delegation, so swapped parts need no set-up.
import "./menus.js";
import "./copy.js";
import "./theme.js";
import "./times.js";
import "./toasts.js";
import "./filters.js";
import "./selection.js";
import "./keys.js";
import "./live.js";
import "./tabs.js";
