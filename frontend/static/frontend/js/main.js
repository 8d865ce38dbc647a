// Everything here only adds comfort: each page works without it.

import "./announcement.js";
import "./cart.js";
import "./copy.js";
import "./disclosure.js";
import "./focus.js";
import "./forms.js";
import "./panel.js";
import "./password.js";
import "./pick.js";
import "./print.js";
import "./search.js";
import "./submit.js";
import "./tabs.js";
import "./toast.js";
import "./zone.js";
