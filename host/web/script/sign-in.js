// The form by which an account signs in, or is made.

import { byId } from "./dom.js";
import { busy, isBusy, showErrors } from "./forms.js";
import { sentence } from "./problem.js";
import { register, signIn } from "./session.js";
import { t } from "./text.js";

const FIELDS = ["username", "password"];

/** Brings the form to life; `done` is called once somebody is signed in. */
export function signInForm(done) {
  const username = byId("username");
  const password = byId("password");
  byId("show-password").addEventListener("change", ({ target }) => {
    password.type = target.checked ? "text" : "password";
  });

  async function send(button, act) {
    if (isBusy(button)) return;
    const missing = FIELDS.filter((field) => byId(field).value.trim() === "");
    showErrors("sign-in", FIELDS, missing.map((field) => ({ field, text: t(`sign-in.missing-${field}`) })));
    if (missing.length > 0) return;
    const idle = busy(button, t("sign-in.sending"));
    try {
      await act(username.value.trim(), password.value);
    } catch (failure) {
      idle();
      const field = FIELDS.find((name) => failure.pointer === `/${name}`) ?? fieldOf(failure.code);
      showErrors("sign-in", FIELDS, [{ field, text: sentence(failure) }]);
      return;
    }
    idle();
    password.value = "";
    showErrors("sign-in", FIELDS, []);
    await done();
  }

  byId("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    send(byId("sign-in-button"), signIn);
  });
  byId("register-button").addEventListener("click", () => send(byId("register-button"), register));
}

function fieldOf(code) {
  return code === "login-failed" ? "password" : null;
}
