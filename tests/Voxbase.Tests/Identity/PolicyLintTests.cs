using System.Text.RegularExpressions;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.Tests.Identity;

/// <summary>What holds for every table, policy and function, those of tomorrow included, read from the catalogs.</summary>
public sealed partial class PolicyLintTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_table_and_partition_has_its_policies_enabled_and_forced() =>
        (await FaultsAsync(
            """
            select format('%I.%I: enabled %s, forced %s', n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'vox' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
            """)).ShouldBeEmpty();

    [Fact]
    public async Task Every_policy_names_its_role() =>
        (await FaultsAsync(
            """
            select format('%I on %I.%I is for %s', policyname, schemaname, tablename, roles)
            from pg_policies
            where schemaname in ('vox', 'vox_private') and not roles <@ '{anon,authenticated,service_role,vox_writer}'
            """)).ShouldBeEmpty();

    // A function called for each row costs three to four times one called once: (select …) makes it once. The writer's policies are
    // apart: they only ever decide about rows that its statements name by their keys, where making it ready costs more than the call.
    [Fact]
    public async Task No_policy_asks_who_the_caller_is_row_by_row()
    {
        var policies = await FaultsAsync(
            "select format('%I on %I: using %s check %s', policyname, tablename, qual, with_check) from pg_policies where schemaname = 'vox' and roles <> '{vox_writer}'");
        policies.Count.ShouldBeGreaterThan(20);
        policies.Where(policy => IdentityCall().IsMatch(WithoutConstantSubqueries(policy))).ShouldBeEmpty();
        WithoutConstantSubqueries("(id = ( SELECT auth.uid() AS uid)) OR (EXISTS ( SELECT FROM t WHERE (t.id = auth.uid())))")
            .ShouldBe("(id = ) OR (EXISTS ( SELECT FROM t WHERE (t.id = auth.uid())))");
    }

    // PostgreSQL parses and plans such a function in each query that asks the policy.
    [Fact]
    public async Task No_policy_calls_a_function_in_sql_that_cannot_be_put_in_place_of_its_call() =>
        (await FaultsAsync(
            """
            select distinct p.oid::regprocedure::text
            from pg_depend d join pg_proc p on p.oid = d.refobjid join pg_language l on l.oid = p.prolang
            where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_proc'::regclass and l.lanname = 'sql'
              and (p.prosecdef or p.proconfig is not null)
            """)).ShouldBeEmpty();

    // Takes out each ( SELECT … ) without a FROM: it depends on no row and is evaluated once a query.
    private static string WithoutConstantSubqueries(string text)
    {
        const string opening = "( SELECT ";
        for (var start = text.LastIndexOf(opening, StringComparison.Ordinal); start >= 0;
            start = start == 0 ? -1 : text.LastIndexOf(opening, start - 1, StringComparison.Ordinal))
        {
            var (end, depth) = (start, 0);
            do
                depth += text[end++] switch { '(' => 1, ')' => -1, _ => 0 };
            while (depth > 0);
            if (!text[start..end].Contains("FROM ", StringComparison.Ordinal))
                text = text.Remove(start, end - start);
        }

        return text;
    }

    [Fact]
    public async Task A_policy_on_a_child_table_does_not_read_conversations() =>
        (await FaultsAsync(
            """
            select format('%I on %I', policyname, tablename) from pg_policies
            where schemaname = 'vox' and concat(qual, with_check) ~ '(from|join)\s+(vox\.)?(conversations|users)\y'
            """)).ShouldBeEmpty();

    // The writer may insert into a month of the turns, which it names itself; nobody else may do anything, and it nothing else.
    [Fact]
    public async Task Partitions_are_reached_through_their_parents_alone_but_for_the_writers_inserts_and_the_numbers_that_they_return() =>
        (await FaultsAsync(
            """
            select format('%I has %s', c.relname, coalesce(c.relacl::text, 'a policy'))
            from pg_class c
            where c.relnamespace = 'vox'::regnamespace and c.relispartition
              and (exists (
                  select from aclexplode(c.relacl) a
                  where a.grantee <> c.relowner
                    and (a.grantee, a.privilege_type, c.relname ~ '^turns_\d{4}_\d{2}$') is distinct from ('vox_writer'::regrole, 'INSERT', true))
                or exists (
                  select from pg_attribute b cross join aclexplode(b.attacl) a
                  where b.attrelid = c.oid
                    and (a.grantee, a.privilege_type, b.attname, c.relname ~ '^turns_\d{4}_\d{2}$') is distinct from ('vox_writer'::regrole, 'SELECT', 'sequence_number', true))
                or exists (
                  select from pg_policy p
                  where p.polrelid = c.oid
                    and (p.polroles, p.polcmd in ('a', 'r'), c.relname ~ '^turns_\d{4}_\d{2}$') is distinct from (array['vox_writer'::regrole::oid], true, true)))
            """)).ShouldBeEmpty();

    [Fact]
    public async Task Every_function_pins_its_search_path() =>
        (await FaultsAsync(
            """
            select p.oid::regprocedure::text from pg_proc p
            where p.pronamespace in ('vox'::regnamespace, 'vox_private'::regnamespace)
              and not coalesce('search_path=""' = any(p.proconfig), false)
            """)).ShouldBeEmpty();

    [Fact]
    public async Task No_function_of_the_private_schema_is_executable_by_everybody() =>
        (await FaultsAsync(
            """
            select p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where p.pronamespace = 'vox_private'::regnamespace and a.grantee = 0
            """)).ShouldBeEmpty();

    [Fact]
    public async Task Only_harmless_functions_are_executable_by_everybody() =>
        (await FaultsAsync(
            """
            select distinct p.oid::regprocedure::text from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where p.pronamespace in ('vox'::regnamespace, 'auth'::regnamespace) and a.grantee in (0, 'anon'::regrole)
            order by 1
            """)).ShouldBe(["auth.jwt()", "auth.role()", "auth.uid()", "vox.uuid_v7()", "vox.uuid_v7_floor(timestamp with time zone)"]);

    [Fact]
    public async Task The_security_definer_functions_that_users_may_call_are_these_and_no_others() =>
        (await FaultsAsync(
            """
            select p.oid::regprocedure::text from pg_proc p
            where p.pronamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and p.prosecdef
              and p.prorettype <> 'trigger'::regtype and has_function_privilege('authenticated', p.oid, 'execute')
            order by 1
            """)).ShouldBe(["vox_private.audit_read(uuid)", "vox_private.audit_usage(uuid)", "vox_private.ensure_current_user()", "vox_private.is_admin()", "vox_private.took_part(uuid)"]);

    [Fact]
    public async Task Nobody_is_granted_what_must_not_happen() =>
        (await FaultsAsync(
            """
            select format('%s may %s %s', r.rolname, v.verb, c.relname)
            from pg_class c
            cross join (values ('update'), ('delete')) v(verb)
            cross join (select rolname from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'vox_writer', 'authenticator')) r
            where c.relnamespace = 'vox'::regnamespace and c.relkind in ('r', 'p')
              and (has_table_privilege(r.rolname, c.oid, v.verb) or v.verb = 'update' and has_any_column_privilege(r.rolname, c.oid, v.verb))
              and (c.relname in ('audit_log', 'provider_events', 'charges')
                or c.relname = 'usage_events' and (r.rolname <> 'service_role' or v.verb = 'delete')
                or c.relname = 'turns' and v.verb = 'delete'
                or r.rolname = 'anon')
            union all
            select format('%s may truncate %s', r.rolname, c.relname)
            from pg_class c
            cross join (select rolname from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'vox_writer', 'authenticator')) r
            where c.relnamespace = 'vox'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege(r.rolname, c.oid, 'truncate')
            """)).ShouldBeEmpty();

    private async Task<List<string>> FaultsAsync(string sql)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await using var rows = await command.ExecuteReaderAsync(Cancel);
        var found = new List<string>();
        while (await rows.ReadAsync(Cancel))
            found.Add(rows.GetString(0));
        return found;
    }

    [GeneratedRegex(@"(uid|jwt|role|is_admin|current_setting)\(", RegexOptions.IgnoreCase)]
    private static partial Regex IdentityCall();
}
