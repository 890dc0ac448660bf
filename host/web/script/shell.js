// What every page does: the other languages lead to the same page.

export function frame() {
  const own = `/${document.documentElement.lang}/`;
  if (!location.pathname.startsWith(own)) return;
  for (const anchor of document.querySelectorAll("a[data-language]")) {
    const path = location.pathname.replace(own, `/${anchor.dataset.language}/`);
    anchor.setAttribute("href", path);
    // What a page is about may stand after the #, which never goes to a server.
    anchor.addEventListener("click", () => anchor.setAttribute("href", path + location.hash));
  }
}
