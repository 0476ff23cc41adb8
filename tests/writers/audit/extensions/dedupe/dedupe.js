// One open issue for each violation, as far as a look-up can promise that.
module.exports = function dedupe({ services, schema }) {
  const issues = new services.ItemsService('system_issues', { schema });

  async function findExistingIssue(violationHash) {
    const found = await issues.readByQuery({
      filter: { violation_hash: { _eq: violationHash }, status: { _eq: 'open' } },
      limit: 1,
    });
    return found[0] ?? null;
  }

  async function report(violationHash, fields) {
    const existing = await findExistingIssue(violationHash);
    if (existing) {
      return issues.updateOne(existing.id, { last_seen_at: new Date() });
    }
    return issues.createOne({ ...fields, violation_hash: violationHash, status: 'open' });
  }

  return { report };
};
