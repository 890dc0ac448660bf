// The booth: mark, review, cast. Nothing is sent before "Cast", and one ballot is sent under one id until the server
// has answered.

import { Failure, backoff, call } from "./api.js";
import { ballotOf, contestAt, reviewOf } from "./review.js";
import { byId, fill, focus, here, make, show } from "./dom.js";
import { busy, isBusy, jump } from "./forms.js";
import { problemBox, say, sentence } from "./problem.js";
import { asVoter } from "./session.js";
import { attempt, keepAttempt, randomId } from "./store.js";
import { plural, t } from "./text.js";

/** `election` is the API's; `contests` are those of `makeContest`; `signedOut` asks the voter to sign in again. */
export function booth({ election, contests, signedOut }) {
  const id = election.election_id;
  let isMarked = false;
  let isSent = false;
  let tryNow = () => {};

  const warn = (event) => {
    if (isMarked && !isSent) event.preventDefault();
  };
  window.addEventListener("beforeunload", warn);
  fill(byId("contests"), ...contests.map((contest) => contest.element));
  byId("mark-form").addEventListener("submit", (event) => {
    event.preventDefault();
    toReview();
  });
  byId("to-mark").addEventListener("click", () => toMark());
  byId("cast").addEventListener("click", cast);

  function toMark(contest) {
    if (isBusy(byId("cast"))) return;
    show(byId("review"), false);
    show(byId("mark"));
    focus(contest?.element ?? byId("mark-heading"));
  }

  function toReview() {
    const wrong = contests.map((contest) => ({ contest, problem: contest.problem() })).filter(({ problem }) => problem);
    showWrong(wrong.map(({ contest, problem }) => ({ contest, text: problem })));
    if (wrong.length > 0) return;
    fill(byId("review-contests"), ...contests.map((contest) => reviewOf(contest, () => toMark(contest))));
    fill(byId("cast-problem"));
    show(byId("mark"), false);
    show(byId("review"));
    focus(byId("review-heading"));
  }

  function showWrong(wrong) {
    const items = wrong.map(({ contest, text }) => make("li", {}, jump(contest.prefix, `${contest.title}: ${text}`)));
    fill(byId("mark-errors-list"), ...items);
    const summary = byId("mark-errors");
    show(summary, wrong.length > 0);
    if (wrong.length > 0) summary.focus();
  }

  async function cast() {
    const button = byId("cast");
    if (isBusy(button)) return;
    const kept = attempt(id);
    // An id whose fate nobody knows is used again: then the server takes one ballot, whatever it heard before.
    const own = kept && !kept.isKnown ? kept : { id: randomId(), isKnown: false };
    keepAttempt(id, own);
    const idle = busy(button, t("cast.sending"));
    const body = { election_id: id, transaction_id: own.id, ballot: ballotOf(contests) };
    try {
      const answer = await send(body);
      keepAttempt(id, { id: own.id, isKnown: true, chain: answer.chain_transaction_id });
      isSent = true;
      // In the place of the booth: the way back does not lead to a marked ballot.
      location.replace(`${here("ballot")}#t=${answer.chain_transaction_id}`);
    } catch (failure) {
      idle();
      if (failure.kind === undefined) throw failure;
      await refused(failure, own);
    }
  }

  /** Sends until there is an answer that another try would not change. */
  async function send(body) {
    for (let tries = 0; ; tries += 1) {
      try {
        const { data } = await asVoter("POST", "/api/votes/submit", { body });
        if (typeof data?.chain_transaction_id !== "string") throw new Failure("garbage");
        fill(byId("cast-problem"));
        return data;
      } catch (failure) {
        if (!failure.passes) throw failure;
        await waitToTry(failure, tries);
      }
    }
  }

  function waitToTry(failure, tries) {
    const ms = backoff(tries, failure);
    const box = problemBox(failure, () => tryNow());
    box.append(make("p", {}, plural("cast.kept", Math.ceil(ms / 1_000))));
    fill(byId("cast-problem"), box);
    say(`${sentence(failure)} ${plural("cast.kept", Math.ceil(ms / 1_000))}`);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      tryNow = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function refused(failure, own) {
    if (failure.status === 401) return signedOut(failure);
    if (failure.status === 422) {
      const contest = contestAt(contests, failure.pointer);
      toMark();
      contest.refuse(failure.detail || sentence(failure));
      showWrong([{ contest, text: failure.detail || sentence(failure) }]);
      return;
    }
    if (failure.code === "transaction-id-reused") {
      // A ballot that was sent before this page was loaded again had arrived after all.
      const found = await ownBallot(id, own.id);
      if (found) {
        keepAttempt(id, { id: own.id, isKnown: true, chain: found.chain_transaction_id });
        const link = make("a", { href: `${here("ballot")}#t=${found.chain_transaction_id}` }, t("vote.see-ballot"));
        isSent = true;
        fill(byId("cast-problem"), make("div", { class: "errors" }, make("p", { class: "errors-heading" }, t("cast.earlier")), make("p", {}, link)));
        say(t("cast.earlier"));
        return;
      }
    }
    const box = problemBox(failure);
    fill(byId("cast-problem"), box);
    box.focus();
  }

  return {
    toMark,
    /** Notes that the voter has marked something, so that leaving asks first. */
    marked: () => {
      isMarked = true;
    },
    isReviewing: () => !byId("review").hidden,
    /** Says that no ballot is taken any more; what was marked stays to be read. */
    close: (sentence) => {
      fill(byId("notice"), make("p", { class: "box warning" }, sentence));
      say(sentence);
    },
  };
}

/** How a ballot of this voter stands, by the id that it was sent under; nothing where the server has none. */
export async function ownBallot(electionId, id) {
  const query = new URLSearchParams({ transaction_id: id, election_id: String(electionId) });
  try {
    return (await asVoter("GET", `/api/votes/transaction-status?${query}`)).data;
  } catch (failure) {
    if (failure.status === 404) return null;
    throw failure;
  }
}

/** The election as it is now. */
export async function electionNow(id) {
  return (await call("GET", `/api/elections/${id}`)).data;
}
