// Chooses light or dark before anything is drawn. Without a choice the system decides.
(function () {
  "use strict";
  var chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch (refused) {
    // Storage may be switched off.
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.dataset.theme = chosen;
  }
  document.documentElement.classList.add("scripted");
})();
