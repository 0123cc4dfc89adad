// Excerpts of found pages are fetched, which browsers do not allow for files: the search page says how to get them.
document.addEventListener("DOMContentLoaded", () => {
  const results = document.getElementById("search-results");
  if (!results || location.protocol !== "file:") return;
  const note = document.createElement("p"), command = document.createElement("code");
  command.textContent = "python -m http.server -d FOLDER";
  note.append("Opened from a file, so results have no excerpts. To see them, serve the folder of the site: ", command);
  results.before(note);
});
