
"use strict";

// Numbers as they stand in cells: "1,234", "94.58", "-12"; NaN for a dash or a word.
const readNumber = (cell) => {
  if (cell.dataset.key !== undefined) return Number(cell.dataset.key);
  const text = cell.textContent.trim().replace(/[,()+]/g, "").replace("−", "-");
  return /^-?\d/.test(text) ? Number.parseFloat(text) : Number.NaN;
};

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const plain = (text) => text.toLowerCase().replace(/\s+/g, " ").trim();
const written = (number) => number.toLocaleString("en-US");

// A table whose rows can be sorted, searched, filtered by kind and collapsed by block.
class Sheet {
  constructor(box) {
    this.box = box;
    this.noun = box.dataset.noun;
    this.folded = box.dataset.folded !== undefined;
    this.printed = false;
    this.table = box.querySelector("table");
    this.heads = [...this.table.tHead.rows[0].cells];
    this.blocks = [...this.table.tBodies].map((body) => this.readBlock(body));
    this.rows = this.blocks.flatMap((block) => block.rows);
    this.flat = this.table.createTBody();
    this.flat.hidden = true;
    this.search = box.querySelector("input[type=search]");
    this.chips = [...box.querySelectorAll(".chips button")];
    this.minor = box.querySelector("button[data-minor]");
    this.fold = box.querySelector("[data-fold]");
    this.resetter = box.querySelector("[data-reset]");
    this.status = box.querySelector(".status");
    this.sorted = { column: -1, down: true };
    this.heads.forEach((head, column) => this.addSorter(head, column));
    this.blocks.forEach((block) => this.addFolder(block));
    this.addTools();
    this.update();
  }

  readBlock(body) {
    const lines = [...body.rows];
    const head = lines.find((line) => line.classList.contains("head")) ?? null;
    const name = head ? plain(head.textContent) : "";
    const rows = lines.filter((line) => line !== head).map((line) => ({
      line,
      text: `${plain([...line.cells].map((cell) => cell.textContent).join(" "))} ${name}`,
      kind: line.dataset.kind,
      minor: line.dataset.minor !== undefined,
    }));
    return { body, head, rows, open: !this.folded, button: null };
  }

  addSorter(head, column) {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => this.sort(column));
  }

  // Numbers largest first, names from A; then the other way; then as they ran.
  sort(column) {
    const first = this.heads[column].classList.contains("n");
    if (this.sorted.column !== column) this.sorted = { column, down: first };
    else if (this.sorted.down === first) this.sorted.down = !first;
    else this.sorted = { column: -1, down: true };
    this.heads.forEach((head, place) => {
      if (!head.hasAttribute("aria-sort")) return;
      const way = this.sorted.down ? "descending" : "ascending";
      head.setAttribute("aria-sort", place === this.sorted.column ? way : "none");
    });
    this.update();
  }

  compare(one, other) {
    const { column, down } = this.sorted;
    const [a, b] = [one.line.cells[column], other.line.cells[column]];
    if (this.heads[column].classList.contains("n")) {
      const [x, y] = [readNumber(a), readNumber(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return down ? y - x : x - y;
    }
    const order = collator.compare(a.textContent, b.textContent);
    return down ? -order : order;
  }

  addFolder(block) {
    if (!block.head) return;
    const name = block.head.querySelector(".fold");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "fold";
    button.append(...name.childNodes);
    name.replaceWith(button);
    button.addEventListener("click", () => {
      block.open = !block.open;
      this.update();
    });
    block.button = button;
  }

  addTools() {
    const tools = this.box.querySelector(".tools");
    if (!tools) return;
    tools.hidden = this.status.hidden = false;
    this.search.addEventListener("input", () => this.update());
    for (const chip of [...this.chips, ...(this.minor ? [this.minor] : [])])
      chip.addEventListener("click", () => {
        chip.setAttribute("aria-pressed", String(!this.isPressed(chip)));
        this.update();
      });
    this.fold?.addEventListener("click", () => {
      const open = !this.blocks.some((block) => block.head && block.open);
      for (const block of this.blocks) block.open = open;
      this.update();
    });
    this.resetter.addEventListener("click", () => this.reset());
  }

  isPressed(button) {
    return button?.getAttribute("aria-pressed") === "true";
  }

  reset() {
    this.search.value = "";
    for (const chip of this.chips) chip.setAttribute("aria-pressed", "false");
    this.minor?.setAttribute("aria-pressed", "false");
    this.sorted = { column: -1, down: true };
    for (const head of this.heads)
      if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    for (const block of this.blocks) block.open = !this.folded;
    this.update();
    this.search.focus();
  }

  update() {
    const words = plain(this.search?.value ?? "").split(" ").filter(Boolean);
    const kinds = new Set(
      this.chips.filter((chip) => this.isPressed(chip)).map((chip) => chip.dataset.kind)
    );
    const narrowed = words.length > 0 || kinds.size > 0;
    const every = narrowed || !this.minor || this.isPressed(this.minor);
    const shows = (row) =>
      (every || !row.minor) &&
      (kinds.size === 0 || kinds.has(row.kind)) &&
      words.every((word) => row.text.includes(word));
    const shown = new Set(this.rows.filter(shows));
    if (this.sorted.column < 0) this.showBlocks(shown, narrowed);
    else this.showSorted(shown);
    this.tell(shown, narrowed);
  }

  showBlocks(shown, narrowed) {
    this.flat.hidden = true;
    for (const block of this.blocks) {
      const own = block.rows.filter((row) => shown.has(row));
      const open = block.open || narrowed || this.printed;
      block.body.append(...block.rows.map((row) => row.line));
      for (const row of block.rows) row.line.hidden = !shown.has(row) || (!open && !!block.head);
      if (block.head) block.button.setAttribute("aria-expanded", String(open));
      block.body.hidden = own.length === 0 && (narrowed || !block.head);
    }
  }

  // On paper every block is open; what a reader filtered or sorted stays so.
  print(printed) {
    this.printed = printed;
    this.update();
  }

  showSorted(shown) {
    const rows = this.rows.filter((row) => shown.has(row));
    rows.sort((one, other) => this.compare(one, other));
    for (const row of this.rows) row.line.hidden = !shown.has(row);
    for (const block of this.blocks) block.body.hidden = true;
    this.flat.append(...rows.map((row) => row.line));
    this.flat.hidden = false;
  }

  // What of the whole is shown, in words: rows, and sums where these mean anything.
  tell(shown, narrowed) {
    if (!this.status) return;
    const open = this.blocks.some((block) => block.head && block.open);
    if (this.fold) {
      this.fold.textContent = open ? "Collapse all" : "Expand all";
      this.fold.setAttribute("aria-expanded", String(open));
      this.fold.disabled = this.sorted.column >= 0 || narrowed;
    }
    if (this.minor) this.minor.disabled = narrowed;
    const changed = narrowed || this.isPressed(this.minor) || this.sorted.column >= 0 ||
      this.blocks.some((block) => block.open === this.folded);
    this.resetter.hidden = !changed;
    const count = `${written(shown.size)} of ${written(this.rows.length)} ${this.noun}`;
    const sums = this.heads.flatMap((head, column) =>
      head.dataset.sums === undefined ? [] : [this.addUp(shown, head, column)]
    );
    this.status.textContent = [count, ...sums].join(" · ");
  }

  addUp(shown, head, column) {
    const add = (rows) =>
      [...rows].reduce((sum, row) => sum + (readNumber(row.line.cells[column]) || 0), 0);
    const [own, whole] = [add(shown), add(this.rows)];
    const part = own === whole ? "100" : ((100 * own) / whole).toFixed(1);
    const share = whole > 0 && own >= 0 ? ` (${part}%)` : "";
    return `${written(own)} ${head.textContent.trim()}${share}`;
  }
}

// A table that fits needs no scroller of its own, and its head stays in sight down the page.
const fitTable = (scroll) => {
  const table = scroll.querySelector("table");
  const fits = table.offsetWidth <= scroll.clientWidth + 1;
  scroll.classList.toggle("fits", fits);
  if (fits) scroll.removeAttribute("tabindex");
  else scroll.tabIndex = 0;
};

const fitTables = () => {
  const sizes = new ResizeObserver((entries) => {
    for (const entry of entries) fitTable(entry.target.closest(".scroll"));
  });
  for (const scroll of document.querySelectorAll(".scroll")) {
    sizes.observe(scroll);
    sizes.observe(scroll.querySelector("table"));
  }
};

// One quantity of the grid at a time.
const chooseQuantity = () => {
  const choices = document.querySelector(".choose");
  if (!choices) return;
  choices.hidden = false;
  const show = () => {
    const chosen = choices.querySelector("input:checked").value;
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = group.id !== chosen;
      group.classList.add("chosen");
    }
  };
  choices.addEventListener("change", show);
  show();
};

// The numbers of a mark, beside it: under the pointer, at a touch, by the arrow keys.
const showTips = () => {
  const tip = document.getElementById("tip");
  let marked = null;
  const hide = () => {
    tip.hidden = true;
    marked?.classList.remove("marked");
    marked = null;
  };
  const show = (mark, x, y) => {
    if (mark !== marked) {
      hide();
      marked = mark;
      mark.classList.add("marked");
      tip.textContent = mark.dataset.tip;
      tip.hidden = false;
    }
    const { width, height } = tip.getBoundingClientRect();
    const edge = document.documentElement.clientWidth - width - 8;
    const above = y - height - 14;
    tip.style.left = `${Math.max(8, Math.min(x - width / 2, edge))}px`;
    tip.style.top = `${above > 8 ? above : y + 18}px`;
  };
  const showBeside = (mark) => {
    const { left, top, width } = mark.getBoundingClientRect();
    show(mark, left + width / 2, top);
  };
  const step = (mark) => {
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
    showBeside(mark);
  };
  for (const drawing of document.querySelectorAll(".drawing")) {
    const marks = [];
    for (const title of drawing.querySelectorAll(".mark > title")) {
      const mark = title.parentNode;
      mark.dataset.tip = title.textContent.trim();
      title.remove();
      marks.push(mark);
    }
    if (!marks.length) {
      drawing.removeAttribute("tabindex");
      continue;
    }
    document.querySelector("#plots .hint").hidden = false;
    const follow = (event) => {
      const mark = event.target.closest("[data-tip]");
      if (mark && drawing.contains(mark)) show(mark, event.clientX, event.clientY);
      else if (document.activeElement !== drawing) hide();
    };
    drawing.addEventListener("pointermove", follow);
    drawing.addEventListener("pointerdown", follow);
    drawing.addEventListener("pointerleave", hide);
    drawing.addEventListener("blur", hide);
    drawing.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      if (event.key === "Escape") hide();
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = marks.indexOf(marked) + steps[event.key];
      const first = steps[event.key] > 0 ? 0 : marks.length - 1;
      step(marked && marks.includes(marked) ? marks.at(next % marks.length) : marks[first]);
    });
  }
  // A step may scroll the page: the tip of a plot that has the focus moves with its mark.
  const move = () => {
    const stepped = marked && marked.closest(".drawing") === document.activeElement;
    if (stepped) showBeside(marked);
    else hide();
  };
  addEventListener("scroll", move, { passive: true });
};

const switchTheme = () => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const name = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `${button.textContent} theme`);
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("mobilenet-profiler-theme", root.dataset.theme);
    } catch {
      // It holds for this visit alone then.
    }
    name();
  });
  system.addEventListener("change", name);
  name();
};

// What is folded away on a screen is read on paper.
const unfoldForPrint = (sheets) => {
  let closed = [];
  addEventListener("beforeprint", () => {
    for (const sheet of sheets) sheet.print(true);
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const sheet of sheets) sheet.print(false);
    for (const details of closed) details.open = false;
  });
};

// The section in sight is marked in the list of sections.
const followSections = () => {
  const links = new Map(
    [...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link])
  );
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-20% 0px -75% 0px" }
  );
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) seen.observe(section);
  }
};

const sheets = [...document.querySelectorAll(".table")].map((box) => new Sheet(box));
fitTables();
chooseQuantity();
showTips();
switchTheme();
unfoldForPrint(sheets);
followSections();
