// A row of links that scrolls sideways (settings on a narrow screen) shows the one of this page.
const show = () => {
  for (const row of document.querySelectorAll(".settings-nav")) {
    const current = row.querySelector("[aria-current]");
    if (current && row.scrollWidth > row.clientWidth) {
      const middle = current.offsetLeft - row.offsetLeft + current.offsetWidth / 2;
      row.scrollLeft = middle - row.clientWidth / 2;
    }
  }
};

show();
addEventListener("pageshow", show);
