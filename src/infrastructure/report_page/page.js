// Adds to a page that is whole without it: sorting, filtering, the theme, and the values under pointer and keyboard.
"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);

  // A filter over less than what fits on a screen is in the way.
  const FILTER_ROWS_MIN = 12;

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  // RFC 6901: what a cell shows is the value at this place in the document.
  const valueAt = (pointer) =>
    pointer
      .split("/")
      .slice(1)
      .reduce((found, key) => found?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], report);

  const valueOf = (cell) => {
    const place = cell.dataset.p ?? cell.querySelector("[data-p]")?.dataset.p;
    return place === undefined ? cell.textContent : valueAt(place);
  };

  // ------------------------------------------------------------------ theme
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const button = element("button", { type: "button", className: "button push" });
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const nameTheme = () => {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  prefersDark.addEventListener("change", nameTheme);
  nameTheme();
  document.querySelector("h1").after(button);

  // ------------------------------------------------------------------ tables
  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other));
  };

  const isKnown = (value) => value !== null && value !== undefined && value !== "";

  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    if (body.rows.length > 1) {
      heads.forEach((head, column) => {
        if (!("sort" in head.dataset)) return;
        const sorts = element("button", { type: "button" }, ...head.childNodes);
        head.replaceChildren(sorts);
        sorts.addEventListener("click", () => {
          const first = head.classList.contains("number") ? "descending" : "ascending";
          const other = first === "descending" ? "ascending" : "descending";
          const order = head.getAttribute("aria-sort") === first ? other : first;
          heads.forEach((each) => each.removeAttribute("aria-sort"));
          head.setAttribute("aria-sort", order);
          const sign = order === "ascending" ? 1 : -1;
          const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
          // What is not known comes last in either order.
          rows.sort(([one], [other]) =>
            isKnown(one) && isKnown(other) ? sign * compare(one, other) : isKnown(other) - isKnown(one),
          );
          body.append(...rows.map(([, row]) => row));
        });
      });
    }
    if ("filter" in table.dataset && body.rows.length >= FILTER_ROWS_MIN) {
      const box = table.closest(".scroll");
      const input = element("input", { type: "search", autocomplete: "off", spellcheck: false });
      const said = element("span", { className: "quiet", role: "status" });
      const label = element("label", {}, "Filter ", element("span", { className: "hidden" }, `${table.caption.textContent} `), input);
      input.addEventListener("input", () => {
        const wanted = input.value.trim().toLowerCase();
        let shown = 0;
        for (const row of body.rows) {
          row.hidden = !row.textContent.toLowerCase().includes(wanted);
          shown += !row.hidden;
        }
        said.textContent = wanted ? `${shown} of ${body.rows.length} rows` : "";
      });
      box.before(element("div", { className: "tools" }, label, said));
    }
  }

  // ------------------------------------------------------------------ plots
  for (const plot of document.querySelectorAll(".plot > svg")) {
    const marks = [...plot.querySelectorAll(".hit")];
    if (!marks.length) continue;
    const readout = element("output", { className: "readout" });
    plot.parentElement.append(readout);
    let chosen = -1;
    const choose = (at) => {
      marks[chosen]?.classList.remove("chosen");
      chosen = at;
      marks[chosen]?.classList.add("chosen");
      readout.textContent = marks[chosen]?.querySelector("title").textContent ?? "";
    };
    plot.addEventListener("pointermove", (event) => {
      const at = marks.indexOf(event.target.closest(".hit"));
      if (at >= 0 && at !== chosen) choose(at);
    });
    plot.addEventListener("pointerleave", () => choose(-1));
    plot.addEventListener("blur", () => choose(-1));
    plot.addEventListener("keydown", (event) => {
      const last = marks.length - 1;
      const to = {
        ArrowRight: Math.min(chosen + 1, last),
        ArrowLeft: Math.max(chosen - 1, 0),
        Home: 0,
        End: last,
        Escape: -1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(to);
    });
  }
})();
