"""The month on one page, from what the nodes before found out."""

from __future__ import annotations

import json
import os

from orders import finish


def main() -> None:
    """Write the page to the log, and its figures to the nodes that follow."""
    validation = json.loads(os.environ["VALIDATION"])
    countries = json.loads(os.environ["COUNTRIES"])
    products = json.loads(os.environ["PRODUCTS"])
    anomalies = json.loads(os.environ["ANOMALIES"])
    revenue = sum(country["revenue_eur"] for country in countries)

    print(f"Sales in {os.environ['MONTH']}: {revenue} EUR from {validation['accepted']} orders")
    print(f"{validation['rejected']} rows of the export were left out: {validation['reasons']}")
    for country in countries:
        share = 100 * country["revenue_eur"] / revenue
        print(f"  {country['country']}  {country['revenue_eur']:>6} EUR  {share:4.1f} %  {country['orders']} orders")
    print("Best products: " + ", ".join(f"{found['sku']} ({found['units']})" for found in products[:3]))
    for anomaly in anomalies:
        print(f"Look at {anomaly['order']}: {anomaly['why']}")
    print()

    finish(
        {
            "revenue_eur": revenue,
            "orders": validation["accepted"],
            "best_country": countries[0]["country"],
            "best_product": products[0]["sku"],
            "to_look_at": [anomaly["order"] for anomaly in anomalies],
        }
    )


main()
