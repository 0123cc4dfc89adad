// How search results are ranked (html_search_scorer): Sphinx's own points, and last what is about the project or a detail of the API.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
  score: ([page, , , about, score, , kind]) => {
    const late = ["changelog", "contributing", "releasing", "security"].includes(page);
    return late || (kind === "object" && /attribute|property/.test(about || "")) ? score - 100 : score;
  },
};
